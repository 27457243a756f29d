import { html } from "preact";
import { Badge } from "../../../components/Badge.js";
import { dateTime } from "../../../lib/format.js";
import { t } from "../../../lib/i18n.js";
import { Person, shortId } from "../Person.js";

/** What an admin should see at a glance: a refusal, a thing that was taken away. */
const grave = ["session.sign_in_failed", "session.token_reused", "user.register_refused"];
const telling = ["ended", "ended_all", "revoked", "canceled", "archived", "deleted", "disabled"];

export function toneOf(action) {
  if (grave.includes(action)) return "danger";
  return telling.includes(action.split(".")[1]) ? "warn" : "plain";
}

/** `user:…`, `plan:free`, `backup:…`, `shell`: whose doing it was, or what it was done to. */
export function Party({ of, narrow }) {
  const [kind, ...rest] = of.split(":");
  const name = rest.join(":");
  if (kind === "user" && name) return html`<${Person} id=${name} narrow=${narrow} />`;
  if (!name) return html`<span class="text-muted">${t(`admin.actor.${kind}`)}</span>`;
  const shown = /^[0-9a-f-]{36}$/.test(name) ? shortId(name) : name;
  return html`<span title=${of} class="break-all"><span class="text-muted">${kind.replaceAll("_", " ")}</span> ${shown}</span>`;
}

const isTime = (value) => /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);

function words(value) {
  if (value === null) return "–";
  if (isTime(value)) return dateTime(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `role: user → admin`, a line for each thing that the event tells. */
export function metaLines(meta) {
  return Object.entries(meta).map(([name, value]) => {
    const isChange =
      typeof value === "object" && value !== null && "from" in value && "to" in value;
    const text = isChange ? `${words(value.from)} → ${words(value.to)}` : words(value);
    return { name: name.replaceAll("_", " "), text };
  });
}

function Meta({ meta }) {
  const lines = metaLines(meta);
  if (lines.length === 0) return html`<span class="text-muted sm:hidden">–</span>`;
  return html`<span class="grid gap-0.5 text-xs text-muted sm:min-w-40 sm:max-w-64">
    ${lines.map(
      ({ name, text }) =>
        html`<span key=${name} class="line-clamp-2 break-words">${name}: ${text}</span>`,
    )}
  </span>`;
}

function Action({ row, open }) {
  const badge = html`<${Badge} tone=${toneOf(row.action)}>${row.action}<//>`;
  if (!open) return badge;
  return html`<button
    type="button"
    title=${t("usage.details")}
    class="rounded-md hover:underline"
    onClick=${() => open(row)}
  >
    ${badge}
  </button>`;
}

/** Rows of the audit log. @param {(row: object) => void} [open] shows all of a row */
export function auditColumns(open) {
  return [
    {
      key: "at",
      label: t("admin.audit.at"),
      cell: (row) =>
        html`<time datetime=${row.at} class="whitespace-nowrap">${dateTime(row.at)}</time>`,
    },
    {
      key: "action",
      label: t("admin.audit.action"),
      cell: (row) => html`<${Action} row=${row} open=${open} />`,
    },
    {
      key: "actor",
      label: t("admin.audit.actor"),
      cell: (row) => html`<${Party} of=${row.actor} narrow />`,
    },
    {
      key: "target",
      label: t("admin.audit.target"),
      cell: (row) => html`<${Party} of=${row.target} narrow />`,
    },
    {
      key: "meta",
      label: t("admin.audit.meta"),
      cell: (row) => html`<${Meta} meta=${row.meta} />`,
    },
  ];
}
