import { html } from "preact";

/**
 * The frame of a page: its one heading, which takes the focus when the page opens.
 * @param {{title: string, about?: string, actions?: unknown}} props
 */
export function Page({ title, about, actions, children }) {
  return html`<div class="mx-auto w-full max-w-5xl px-4 py-6 sm:px-8 sm:py-8">
    <div class="mb-6 flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
      <div class="min-w-0">
        <h1 tabindex="-1" class="text-2xl font-semibold tracking-tight">${title}</h1>
        ${about && html`<p class="mt-1 max-w-prose text-muted">${about}</p>`}
      </div>
      ${actions && html`<div class="flex flex-wrap items-center gap-2">${actions}</div>`}
    </div>
    <div class="grid grid-cols-[minmax(0,1fr)] gap-6">${children}</div>
  </div>`;
}
