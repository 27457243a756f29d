import { t, translated } from "./i18n.js";

/** What went wrong with a call, as the server's problem document says it (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {number} status 0 when no answer came
   * @param {object} [body] the problem document
   * @param {number | null} [retryAfter] seconds
   */
  constructor(status, body = {}, retryAfter = null) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    this.name = "Problem";
    this.status = status;
    this.code = body.code ?? (status === 0 ? "network" : "internal");
    this.detail = body.detail ?? "";
    this.requestId = body.request_id ?? null;
    /** For a sign-in that is too old: how old it may be, in seconds. */
    this.maxAge = body.max_age ?? null;
    this.retryAfter = retryAfter;
    /** @type {{field: string, code: string, message: string}[]} */
    this.errors = body.errors ?? [];
  }
}

/** One sentence for the reader: ours in their language, or else the server's own. */
export function describe(problem) {
  if (!(problem instanceof Problem)) return t("problem.unexpected");
  if (problem.code === "rate_limited" && problem.retryAfter) {
    return t("problem.wait", { seconds: problem.retryAfter });
  }
  return translated(`problem.${problem.code}`) ?? (problem.detail || t("problem.internal"));
}

/** The same for one field of a form; `{n}` is the number that the server names. */
export function describeField(error) {
  const n = Number(/\d+/.exec(error.message)?.[0] ?? 0);
  return translated(`fault.${error.code}`, { n }) ?? error.message;
}
