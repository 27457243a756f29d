import { metricName, number } from "./format.js";
import { t } from "./i18n.js";

/**
 * A limit of a plan in words, from its name and value (the grammar of the contract).
 * @param {string} name such as `requests_per_month`
 * @param {number | null | {limit: number, overage: string}} value
 */
export function limitInWords(name, value) {
  const bound = typeof value === "object" && value !== null ? value.limit : value;
  const limit = bound === null ? t("limit.unlimited") : number(bound);
  const words = sentence(name, limit);
  const overage = typeof value === "object" && value?.overage === "allow";
  return overage ? t("limit.overage", { words }) : words;
}

function sentence(name, limit) {
  const [, metric, window] = /^(.+)_per_(second|minute|hour|day|month)$/.exec(name) ?? [];
  if (metric) return t(`limit.${window}`, { limit, what: metricName(metric) });
  if (name.endsWith("_burst"))
    return t("limit.burst", { limit, what: metricName(name.slice(0, -6)) });
  if (name.startsWith("concurrent_"))
    return t("limit.concurrent", { limit, what: metricName(name.slice(11)) });
  if (name.startsWith("max_")) return t("limit.stock", { limit, what: metricName(name.slice(4)) });
  return `${metricName(name)}: ${limit}`;
}

const order = ["month", "day", "hour", "minute", "second"];

/** The plan that everybody begins with, then the others, the smaller first. */
export function inOrder(plans) {
  const size = ({ limits }) => {
    const bounds = Object.values(limits).map((value) => value?.limit ?? value ?? Number.MAX_VALUE);
    return Math.max(0, ...bounds);
  };
  return [...plans].sort(
    (a, b) => Number(b.is_default) - Number(a.is_default) || size(a) - size(b),
  );
}

/** The limits of a plan, quotas first. */
export function limitLines(limits) {
  const rank = (name) => {
    const index = order.findIndex((window) => name.endsWith(`_per_${window}`));
    return index < 0 ? order.length : index;
  };
  return Object.entries(limits)
    .sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b))
    .map(([name, value]) => ({ name, text: limitInWords(name, value) }));
}
