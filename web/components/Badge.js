import { html } from "preact";

const tones = {
  plain: "bg-sunken text-muted",
  accent: "bg-accent-soft text-accent",
  ok: "bg-ok-soft text-ok",
  warn: "bg-warn-soft text-warn",
  danger: "bg-danger-soft text-danger",
};

/** A state in a word. @param {{tone?: keyof typeof tones}} props */
export function Badge({ tone = "plain", children }) {
  return html`<span
    class=${`inline-flex items-center rounded-md px-1.5 py-0.5 text-xs font-medium whitespace-nowrap ${tones[tone]}`}
    >${children}</span
  >`;
}
