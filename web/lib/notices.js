import { describe, Problem } from "./problem.js";
import { store } from "./store.js";

/** What is said at the edge of the page, for a while. */
export const toasts = store([]);
let lastToast = 0;

function say(kind, text) {
  lastToast += 1;
  const id = lastToast;
  toasts.set([...toasts.get().slice(-3), { id, kind, text }]);
  // An error stays until it is read: it is closed by hand.
  if (kind === "ok") setTimeout(() => dismiss(id), 5000);
}

export function dismiss(id) {
  toasts.set(toasts.get().filter((entry) => entry.id !== id));
}

export const toast = {
  /** @param {string} text */
  ok: (text) => say("ok", text),
  /** @param {string | Problem | Error} what */
  error(what) {
    if (typeof what === "string") return say("error", what);
    if (!(what instanceof Problem)) console.error(what);
    return say("error", describe(what));
  },
};

/** The question that waits for an answer; one at a time. */
export const question = store(null);

/**
 * Asks before something that cannot be undone; name the thing in the title.
 * @param {{title: string, body?: string, action: string, danger?: boolean}} what
 * @returns {Promise<boolean>}
 */
export function confirm(what) {
  return new Promise((resolve) => {
    question.set({
      ...what,
      answer(value) {
        question.set(null);
        resolve(value);
      },
    });
  });
}

/** Runs a step that a button began, and says how it went. Answers whether it succeeded. */
export async function attempt(work, done) {
  try {
    await work();
    if (done) toast.ok(done);
    return true;
  } catch (error) {
    toast.error(error);
    return false;
  }
}
