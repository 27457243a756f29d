import { html } from "preact";
import { ago, metricName, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { Meter } from "./Meter.js";

function quotaNote(metric) {
  if (metric.limit === null) return t("meter.unlimited");
  const resets = t("meter.resets", { when: ago(metric.resets_at) });
  if (metric.overage > 0) return `${t("meter.overage", { count: metric.overage })} ${resets}`;
  return `${t("meter.left", { count: metric.remaining })} ${resets}`;
}

/** What has a limit first: that is what people look for. */
function bounded(metrics) {
  return [...metrics].sort((a, b) => (a.limit === null) - (b.limit === null));
}

/** What is left of each limit. @param {{report: object}} props a `UsageReport` */
export function Limits({ report }) {
  const held = [
    ...report.concurrency.map((entry) => ({
      label: t("meter.concurrent", { what: metricName(entry.resource) }),
      used: entry.in_use,
      limit: entry.limit,
      key: `c-${entry.resource}`,
    })),
    ...report.stocks.map((entry) => ({
      label: metricName(entry.resource),
      used: entry.used,
      limit: entry.limit,
      key: `s-${entry.resource}`,
    })),
  ];
  return html`<div class="grid gap-x-10 gap-y-5 sm:grid-cols-2">
    ${bounded(report.metrics).map(
      (metric) => html`<${Meter}
        key=${`${metric.metric}-${metric.period}`}
        label=${t(`meter.${metric.period}`, { what: metricName(metric.metric) })}
        used=${metric.used}
        limit=${metric.limit}
        note=${quotaNote(metric)}
      />`,
    )}
    ${held.map(
      ({ key, label, used, limit }) =>
        html`<${Meter} key=${key} label=${label} used=${used} limit=${limit} />`,
    )}
    ${report.rates.map(
      (rate) => html`<div key=${`${rate.metric}-${rate.per}`}>
        <div class="flex flex-wrap items-baseline justify-between gap-x-3">
          <p class="font-medium first-letter:uppercase">
            ${t(`rate.${rate.per}`, { what: metricName(rate.metric) })}
          </p>
          <p class="text-sm tabular-nums">${rate.limit === null ? t("limit.unlimited") : number(rate.limit)}</p>
        </div>
        ${
          rate.burst !== null &&
          html`<p class="mt-0.5 text-sm text-muted">${t("rate.burst", { count: rate.burst })}</p>`
        }
      </div>`,
    )}
  </div>`;
}
