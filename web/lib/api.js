import { Problem } from "./problem.js";
import { accept, forget, mayBeSignedIn, nobodyYet, session, sessionId } from "./session.js";

/*
 * The one way to the server. A call that finds its access token old gets another and repeats, once.
 * However many calls and tabs find that out at once, one refresh is made: within a tab by sharing
 * its promise, between tabs under a lock, and whoever waited takes the token that the first one got.
 */

const base = "/api/v1";
/** A token with less left than this is not sent: the server's clock may be ahead of ours. */
const freshMillisecondsMin = 10_000;

/**
 * @typedef {object} Options
 * @property {Record<string, string | number | null | undefined>} [query] empty values are left out
 * @property {AbortSignal} [signal]
 * @property {boolean} [anonymous] sent without a token
 */

/** Asks whoever is there to sign in again; set by the shell. @type {() => Promise<boolean>} */
let askAgain = async () => false;
export function onOldSignIn(ask) {
  askAgain = ask;
}

function address(path, query) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return base + path + (text && `?${text}`);
}

async function send(method, path, body, options, token) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  try {
    return await fetch(address(path, options.query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: options.signal,
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0);
  }
}

async function problem(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Problem(answer.status, body, Number(answer.headers.get("retry-after")) || null);
}

async function result(answer) {
  if (!answer.ok) throw await problem(answer);
  const type = answer.headers.get("content-type") ?? "";
  return type.startsWith("application/json") ? answer.json() : null;
}

async function authorized(method, path, body, options) {
  let { token, expiresAt } = session.get();
  if (!token || expiresAt - Date.now() < freshMillisecondsMin) token = await refreshed(token);
  let answer = await send(method, path, body, options, token);
  if (answer.status === 401) {
    token = await refreshed(token);
    answer = await send(method, path, body, options, token);
  }
  return answer;
}

/**
 * Calls the API; answers its JSON, or null where there is none. Throws a `Problem`.
 * @param {string} method
 * @param {string} path under /api/v1
 * @param {unknown} [body]
 * @param {Options} [options]
 */
async function call(method, path, body, options = {}) {
  if (options.anonymous) return result(await send(method, path, body, options, null));
  const answer = await authorized(method, path, body, options);
  if (answer.status !== 403) return result(answer);
  const refusal = await problem(answer);
  if (refusal.maxAge === null || !(await askAgain())) throw refusal;
  return result(await authorized(method, path, body, options));
}

/** Hands a file to the browser, which puts it where downloads go. */
export function saveFile(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export const api = {
  get: (path, options) => call("GET", path, undefined, options),
  post: (path, body, options) => call("POST", path, body, options),
  patch: (path, body, options) => call("PATCH", path, body, options),
  delete: (path, body, options) => call("DELETE", path, body, options),
  /** A file, such as a list as CSV; saved under the name that the server gives it. */
  async download(path, options = {}) {
    const answer = await authorized("GET", path, undefined, options);
    if (!answer.ok) throw await problem(answer);
    const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "");
    saveFile(await answer.blob(), name?.[1] ?? "gatehouse.csv");
  },
};

/** @type {Promise<string> | null} */
let refreshing = null;

/** A token that is not `stale`; throws when the session has ended. */
function refreshed(stale) {
  refreshing ??= alone(() => nextToken(stale)).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

/** One tab at a time. Browsers without locks rely on the server, which forgives a moment's race. */
function alone(work) {
  return navigator.locks ? navigator.locks.request("gatehouse.refresh", work) : work();
}

async function nextToken(stale) {
  const { token, expiresAt } = session.get();
  // Another tab was quicker, while this one waited for the lock.
  if (token && token !== stale && expiresAt - Date.now() > freshMillisecondsMin) return token;
  const answer = await send("POST", "/auth/refresh", undefined, {}, null);
  if (answer.ok) {
    const pair = await answer.json();
    accept(pair);
    return pair.access_token;
  }
  const refusal = await problem(answer);
  // 401: the session is over; 422: there is no cookie any more.
  if (answer.status === 401 || answer.status === 422) forget();
  throw refusal;
}

/** At the start of a page: the session that the cookie holds, if any. */
export async function resume() {
  if (!mayBeSignedIn()) return nobodyYet();
  try {
    await refreshed(null);
  } catch {
    if (session.get().status === "unknown") nobodyYet();
  }
}

/** @param {{email: string, password: string, otp?: string}} credentials */
export async function signIn({ email, password, otp }) {
  const body = otp ? { email, password, otp } : { email, password };
  const options = { anonymous: true, query: { session: "cookie" } };
  const pair = await call("POST", "/auth/login", body, options);
  accept(pair);
  return pair.user;
}

/** The same person in a new session, which takes the old one's place. */
export async function signInAgain(credentials) {
  const old = sessionId(session.get().token ?? "");
  await signIn(credentials);
  if (old) await api.delete(`/me/sessions/${old}`).catch(() => {});
}

export async function signOut() {
  try {
    await call("POST", "/auth/logout", undefined, { anonymous: true });
  } catch (error) {
    // A session that is over already is signed out; one that could not be reached is not.
    if (error.status !== 401) throw error;
  }
  forget();
}
