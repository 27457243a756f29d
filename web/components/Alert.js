import { html } from "preact";
import { Icon } from "./Icon.js";

const tones = {
  danger: "bg-danger-soft text-danger",
  warn: "bg-warn-soft text-warn",
  ok: "bg-ok-soft text-ok",
};

/** Something the reader has to know, where it matters. @param {{tone?: keyof typeof tones}} props */
export function Alert({ tone = "danger", children }) {
  return html`<div
    role=${tone === "danger" ? "alert" : "status"}
    class=${`flex items-start gap-2.5 rounded-lg px-3.5 py-2.5 text-sm ${tones[tone]}`}
  >
    <span class="mt-px"><${Icon} name=${tone === "ok" ? "check" : "warn"} /></span>
    <div class="min-w-0">${children}</div>
  </div>`;
}
