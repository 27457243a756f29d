import { html, useState } from "preact";
import { Button } from "../../components/Button.js";
import { api } from "../../lib/api.js";
import { t } from "../../lib/i18n.js";
import { attempt } from "../../lib/notices.js";
import { setQuery, usePlace } from "../../lib/router.js";
import { Person } from "./Person.js";

/** The id of who has that address; people know addresses, and lists are asked for ids. */
async function idOf(address) {
  const query = { q: address, sort: "email", limit: 200 };
  const { items } = await api.get("/admin/users", { query });
  return (
    items.find((user) => user.email === address)?.id ?? (items.length === 1 ? items[0].id : null)
  );
}

/**
 * Narrows a list to one account, by its address.
 * @param {{name: string, label?: string, prefix?: string}} props `prefix` stands before the id in
 *   the address bar, such as `user:`
 */
export function OfPerson({ name, label = t("admin.ofPerson"), prefix = "" }) {
  const { query } = usePlace();
  const [fault, setFault] = useState("");
  const value = query.get(name) ?? "";
  const id = value.startsWith(prefix) ? value.slice(prefix.length) : "";
  const find = async (event) => {
    event.preventDefault();
    const address = new FormData(event.target).get("address").trim().toLowerCase();
    if (!address) return;
    await attempt(async () => {
      const found = await idOf(address);
      setFault(found ? "" : t("admin.nobody", { address }));
      if (found) setQuery({ [name]: prefix + found });
    });
  };
  if (value) {
    return html`<span class="inline-flex min-h-9 max-w-full min-w-0 items-center gap-2 rounded-lg bg-sunken py-1 pr-1 pl-3 text-sm">
      <span class="text-muted">${label}:</span>
      ${/^[0-9a-f-]{36}$/.test(id) ? html`<${Person} id=${id} narrow />` : html`<span class="break-all">${value}</span>`}
      <${Button} kind="quiet" small icon="close" label=${t("filter.remove", { label })} onClick=${() => setQuery({ [name]: null })} />
    </span>`;
  }
  return html`<form onSubmit=${find} noValidate class="min-w-40 flex-1 basis-56">
    <input
      type="text"
      inputmode="email"
      name="address"
      aria-label=${label}
      placeholder=${t("admin.byAddress", { label })}
      aria-invalid=${fault ? "true" : undefined}
      aria-describedby=${fault ? `${name}-fault` : undefined}
      onInput=${() => setFault("")}
      autocomplete="off"
      spellcheck=${false}
      class="input"
    />
    ${fault && html`<p id=${`${name}-fault`} role="alert" class="mt-1 text-sm text-danger">${fault}</p>`}
  </form>`;
}
