import { html } from "preact";
import { Brand } from "./Brand.js";
import { Preferences } from "./Preferences.js";

/**
 * The frame of the pages before the menu: signing in, signing up, links from mails.
 * @param {{title: string, about?: unknown, foot?: unknown}} props
 */
export function Doorway({ title, about, foot, children }) {
  return html`<div class="flex min-h-dvh flex-col items-center px-4 pt-[9vh] pb-6">
    <div class="w-full max-w-sm">
      <div class="mb-7 text-lg"><${Brand} /></div>
      <div class="rounded-2xl border border-line bg-surface p-6 shadow-card sm:p-7">
        <h1 tabindex="-1" class="text-xl font-semibold tracking-tight">${title}</h1>
        ${about && html`<p class="mt-1 text-sm text-muted">${about}</p>`}
        <div class="mt-5">${children}</div>
      </div>
      ${foot && html`<p class="mt-5 text-center text-sm text-muted">${foot}</p>`}
    </div>
    <div class="mt-auto pt-10"><${Preferences} /></div>
  </div>`;
}
