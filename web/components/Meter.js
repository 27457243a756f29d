import { html } from "preact";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";

/**
 * How much of a limit is used, as a bar.
 * @param {{label: string, used: number, limit: number | null, note?: string}} props
 */
export function Meter({ label, used, limit, note }) {
  const share = limit === null ? 0 : limit === 0 ? 1 : Math.min(used / limit, 1);
  const tone = share >= 1 ? "bg-danger" : share >= 0.8 ? "bg-warn" : "bg-accent";
  const values = limit === null ? number(used) : t("meter.of", { used, limit });
  return html`<div>
    <div class="flex flex-wrap items-baseline justify-between gap-x-3">
      <p class="font-medium first-letter:uppercase">${label}</p>
      <p class="text-sm tabular-nums">${values}</p>
    </div>
    ${
      limit !== null &&
      html`<div
      role="meter"
      aria-label=${label}
      aria-valuemin="0"
      aria-valuemax=${limit}
      aria-valuenow=${Math.min(used, limit)}
      aria-valuetext=${values}
      class="mt-2 h-2 overflow-hidden rounded-full bg-line"
    >
      <div class=${`h-full rounded-full ${tone}`} style=${{ width: `${share * 100}%` }}></div>
    </div>`
    }
    ${note && html`<p class="mt-1.5 text-sm text-muted">${note}</p>`}
  </div>`;
}
