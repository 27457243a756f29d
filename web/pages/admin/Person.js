import { html } from "preact";
import { api } from "../../lib/api.js";
import { t } from "../../lib/i18n.js";
import { useResource } from "../../lib/resource.js";
import { session } from "../../lib/session.js";
import { useStore } from "../../lib/store.js";

/** Whose addresses are kept at one time: some pages of lists. */
const knownMax = 500;

/** @type {Map<string, Promise<string | null>>} */
const known = new Map();

/** The address of an account, asked for once; null when it is deleted. */
function addressOf(id) {
  if (!known.has(id)) {
    if (known.size >= knownMax) known.clear();
    const asked = api.get(`/admin/users/${id}`).then(
      (user) => user.email,
      (error) => {
        if (error.status === 404) return null;
        known.delete(id);
        throw error;
      },
    );
    known.set(id, asked);
  }
  return known.get(id);
}

/** An id that is told apart by its end: the beginning is the time. */
export function shortId(id) {
  return `…${id.slice(-8)}`;
}

/** Somebody by their address, for lists that know only ids. @param {{id: string, narrow?: boolean}} props */
export function Person({ id, narrow }) {
  const { data, error, loading } = useResource(() => addressOf(id), [id]);
  if (!data && !error && !loading) {
    const gone = t("admin.person.gone", { id: shortId(id) });
    return html`<span title=${id} class="text-muted">${gone}</span>`;
  }
  return html`<${UserLink} id=${id} email=${data} narrow=${narrow} />`;
}

/** @param {{id: string, email?: string | null, narrow?: boolean}} props `narrow` where room is short */
export function UserLink({ id, email, narrow }) {
  return html`<a
    href=${`/admin/users/${id}`}
    title=${email ?? id}
    class=${`inline-block truncate align-bottom font-medium hover:text-accent hover:underline ${narrow ? "max-w-44" : "max-w-60"}`}
  >
    ${email ?? shortId(id)}
  </a>`;
}

/** Support looks and does not change: it gets no button that the server would refuse. */
export function useMayChange() {
  return useStore(session).user?.role === "admin";
}
