import { html } from "preact";

/**
 * A part of a page with a title of its own.
 * @param {{title?: string, about?: string, actions?: unknown, flush?: boolean}} props `flush` lets
 *   a table reach the edges
 */
export function Card({ title, about, actions, flush, children }) {
  return html`<section class="rounded-xl border border-line bg-surface shadow-card">
    ${
      (title || actions) &&
      html`<header class="flex flex-wrap items-start justify-between gap-x-4 gap-y-2 px-5 pt-4 pb-3 [&:has(+div:empty)]:pb-4">
      <div class="min-w-0">
        <h2 class="text-base font-semibold">${title}</h2>
        ${about && html`<p class="mt-0.5 text-sm text-muted">${about}</p>`}
      </div>
      ${actions && html`<div class="flex flex-wrap items-center gap-2">${actions}</div>`}
    </header>`
    }
    <div class=${flush ? "" : `px-5 pb-5 empty:hidden ${title || actions ? "pt-1" : "pt-5"}`}>${children}</div>
  </section>`;
}
