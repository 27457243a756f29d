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

/** @type {Promise<Set<string>> | null} */
let deleted = null;

/**
 * Whose accounts were deleted, the newest of them: the audit log still speaks of them, and to ask
 * for each would be a refusal that the browser notes down as an error.
 */
function deletedIds() {
  const query = { action: "user.deleted", limit: 200 };
  deleted ??= api.get("/admin/audit-logs", { query }).then(
    ({ items }) => new Set(items.map(({ target }) => target.replace("user:", ""))),
    (error) => {
      deleted = null;
      throw error;
    },
  );
  return deleted;
}

async function ask(id) {
  if ((await deletedIds()).has(id)) return null;
  try {
    return (await api.get(`/admin/users/${id}`)).email;
  } catch (error) {
    if (error.status === 404) return null;
    known.delete(id);
    throw error;
  }
}

/** The address of an account, asked for once; null when it is deleted. */
function addressOf(id) {
  if (known.size >= knownMax) known.clear();
  if (!known.has(id)) known.set(id, ask(id));
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
