import { html } from "preact";

/** The mark and the name. */
export function Brand() {
  return html`<span class="inline-flex items-center gap-2.5 font-semibold tracking-tight">
    <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true" class="shrink-0">
      <rect width="32" height="32" rx="8" class="fill-accent" />
      <path
        d="M8.500 24V15a7.500 7.500 0 0 1 15 0v9M8.500 24h4.600v-8.600a2.900 2.900 0 0 1 5.800 0V24h4.600"
        fill="none"
        class="stroke-on-accent"
        stroke-width="2.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
    Gatehouse
  </span>`;
}
