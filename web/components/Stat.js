import { html } from "preact";

const tones = { plain: "text-muted", ok: "text-ok", warn: "text-warn", danger: "text-danger" };

/**
 * A number that says how things stand.
 * @param {{label: string, value: string, note?: string, tone?: keyof typeof tones, href?: string}} props
 *   `tone` colours the note
 */
export function Stat({ label, value, note, tone = "plain", href }) {
  const content = html`<p class="text-sm text-muted first-letter:uppercase">${label}</p>
    <p class="mt-1 text-2xl font-semibold tracking-tight tabular-nums">${value}</p>
    ${note && html`<p class=${`mt-1 text-sm ${tones[tone]}`}>${note}</p>`}`;
  const frame = "block rounded-xl border border-line bg-surface px-4 py-3.5 shadow-card";
  if (!href) return html`<div class=${frame}>${content}</div>`;
  return html`<a href=${href} class=${`${frame} hover:border-line-strong`}>${content}</a>`;
}

/** How large a part is, behind its number. @param {{share: number, tone?: "accent" | "warn"}} props */
export function Share({ share, tone = "accent" }) {
  return html`<span class="block h-1.5 w-full min-w-16 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
    <span
      class=${`block h-full rounded-full ${tone === "warn" ? "bg-warn" : "bg-accent"}`}
      style=${{ width: `${Math.min(Math.max(share, 0), 1) * 100}%` }}
    ></span>
  </span>`;
}

/** Things and what is known of them. @param {{of: {label: string, value: unknown}[]}} props */
export function Facts({ of }) {
  return html`<dl class="grid gap-x-6 gap-y-2.5 text-sm">
    ${of.map(
      ({
        label,
        value,
      }) => html`<div key=${label} class="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-0.5">
        <dt class="text-muted">${label}</dt>
        <dd class="min-w-0 text-right break-words">${value}</dd>
      </div>`,
    )}
  </dl>`;
}
