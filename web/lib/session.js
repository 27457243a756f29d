import { recall, remember } from "./storage.js";
import { store } from "./store.js";

/**
 * Who is signed in. The access token lives in memory alone; the refresh token is in a cookie that
 * no script can read.
 * @typedef {{status: "unknown" | "anonymous" | "signed-in", user: object | null, token: string | null, expiresAt: number}} Session
 */

const nobody = { status: "anonymous", user: null, token: null, expiresAt: 0 };

/** @type {{get: () => Session, set: (session: Session) => void}} */
export const session = store({ ...nobody, status: "unknown" });

/** Tabs tell each other: one signs in, refreshes or signs out for all. */
const tabs = new BroadcastChannel("gatehouse");

/** Whether it is worth asking: without it a stranger's first visit would begin with a refusal. */
export function mayBeSignedIn() {
  return recall("session") !== null;
}

export function accept(pair) {
  const next = {
    status: "signed-in",
    user: pair.user,
    token: pair.access_token,
    expiresAt: Date.now() + pair.expires_in * 1000,
  };
  remember("session", "1");
  session.set(next);
  tabs.postMessage(next);
}

/** The session ended, by choice or by the server's word. */
export function forget() {
  remember("session", null);
  session.set(nobody);
  tabs.postMessage(nobody);
}

export function nobodyYet() {
  session.set(nobody);
}

/** After a change of the profile. */
export function updateUser(user) {
  const next = { ...session.get(), user };
  session.set(next);
  tabs.postMessage(next);
}

tabs.addEventListener("message", (event) => {
  const before = session.get();
  // Another account: nothing that is on this page belongs to it.
  if (before.user && event.data.user && before.user.id !== event.data.user.id) {
    location.assign("/");
    return;
  }
  session.set(event.data);
});

/** What an access token says of itself; the server alone judges whether it is true. */
function claims(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

/** The session that a token belongs to. */
export function sessionId(token) {
  return claims(token).sid ?? null;
}

/**
 * Whether the server holds an admin back until their second step is on: their tokens then say that
 * they are nobody special.
 * @param {Session} session
 */
export function isHeldBack({ user, token }) {
  if (user?.role !== "admin" || user.totp_enabled) return false;
  return !(claims(token).roles ?? ["admin"]).includes("admin");
}
