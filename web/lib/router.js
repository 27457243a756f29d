import { store, useStore } from "./store.js";

/** Where the reader is. @typedef {{path: string, query: URLSearchParams, hash: string}} Place */

function here() {
  return {
    path: location.pathname,
    query: new URLSearchParams(location.search),
    hash: location.hash,
  };
}

/** @type {{get: () => Place, set: (place: Place) => void}} */
export const place = store(here());

export function startRouter() {
  addEventListener("popstate", () => place.set(here()));
  document.addEventListener("click", follow);
}

/** Links of our own change the page without loading it anew; all others are the browser's. */
function follow(event) {
  const link = event.target.closest?.("a[href]");
  const isPlain =
    event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !isPlain || event.defaultPrevented || link.target || link.hasAttribute("download"))
    return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || link.dataset.outside !== undefined) return;
  event.preventDefault();
  navigate(url.pathname + url.search);
}

/** @param {string} to a path of ours, with its query */
export function navigate(to, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  place.set(here());
  if (!replace) scrollTo(0, 0);
}

/** Changes the query in place: filters and pages can be shared and reloaded. */
export function setQuery(values) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") query.delete(name);
    else query.set(name, String(value));
  }
  const text = query.toString();
  navigate(location.pathname + (text && `?${text}`), { replace: true });
}

export function usePlace() {
  return useStore(place);
}

/**
 * The values of a pattern such as `/admin/users/:id` in a path; null if it is another path.
 * @param {string} pattern
 * @param {string} path
 */
export function match(pattern, path) {
  const wanted = pattern.split("/");
  const given = path.replace(/\/+$/, "").split("/");
  if (given.length === 1) given.push("");
  if (wanted.length !== given.length) return null;
  const values = {};
  for (let index = 0; index < wanted.length; index += 1) {
    if (wanted[index].startsWith(":"))
      values[wanted[index].slice(1)] = decodeURIComponent(given[index]);
    else if (wanted[index] !== given[index]) return null;
  }
  return values;
}

/** The token that a mailed link carries behind its `#`, taken out of the address bar. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  if (location.hash) history.replaceState(null, "", location.pathname);
  return token;
}
