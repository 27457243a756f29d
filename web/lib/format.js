import { locale, t } from "./i18n.js";

export { number } from "./i18n.js";

const formats = new Map();

/** Formats are dear to make and few. */
function format(name, make) {
  const key = `${locale()} ${name}`;
  if (!formats.has(key)) formats.set(key, make(locale()));
  return formats.get(key);
}

/** `3 Nov 2026, 16:40`, in the reader's zone. @param {string | null} time RFC 3339 */
export function dateTime(time) {
  if (!time) return "–";
  return format(
    "dateTime",
    (tag) => new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "short" }),
  ).format(new Date(time));
}

export function date(time) {
  if (!time) return "–";
  return format("date", (tag) => new Intl.DateTimeFormat(tag, { dateStyle: "medium" })).format(
    new Date(time),
  );
}

export function compact(value) {
  return format(
    "compact",
    (tag) => new Intl.NumberFormat(tag, { notation: "compact", maximumFractionDigits: 1 }),
  ).format(value);
}

export function percent(part) {
  return format(
    "percent",
    (tag) => new Intl.NumberFormat(tag, { style: "percent", maximumFractionDigits: 0 }),
  ).format(part);
}

export function bytes(count) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return format(
    units[unit],
    (tag) =>
      new Intl.NumberFormat(tag, {
        style: "unit",
        unit: units[unit],
        unitDisplay: "short",
        maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0,
      }),
  ).format(value);
}

const steps = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** `5 minutes ago`, `in 3 days`. @param {string | null} time RFC 3339 */
export function ago(time) {
  if (!time) return t("time.never");
  const seconds = (new Date(time).getTime() - Date.now()) / 1000;
  const step = steps.find(([, size]) => Math.abs(seconds) >= size);
  if (!step) return t("time.now");
  return format("ago", (tag) => new Intl.RelativeTimeFormat(tag, { numeric: "auto" })).format(
    Math.trunc(seconds / step[1]),
    step[0],
  );
}

/** The start of a period such as `2026-11`, `2026-11-23` or `2026-11-23T16`, which is in UTC. */
export function periodStart(period) {
  const [day, hour] = period.split("T");
  const [year, month, date] = day.split("-").map(Number);
  return new Date(Date.UTC(year, month - 1, date || 1, Number(hour) || 0));
}

/** A period as an axis names it. Months and days are UTC's; an hour is told in the reader's zone. */
export function periodName(period) {
  const options =
    period.length <= 7
      ? { month: "short", year: "2-digit", timeZone: "UTC" }
      : period.length <= 10
        ? { day: "numeric", month: "short", timeZone: "UTC" }
        : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  return format(`period ${period.length}`, (tag) => new Intl.DateTimeFormat(tag, options)).format(
    periodStart(period),
  );
}

/** What a metric or a resource is called: `render_minutes` is `render minutes`. */
export function metricName(metric) {
  return metric.replaceAll("_", " ");
}

/** A browser's description of itself, in a few words. @param {string | null} agent */
export function deviceName(agent) {
  if (!agent) return t("device.unknown");
  const program = [
    ["Edge", /Edg\//],
    ["Opera", /OPR\//],
    ["Firefox", /Firefox\//],
    ["Chrome", /Chrom(e|ium)\//],
    ["Safari", /Safari\//],
    ["curl", /^curl\//],
  ].find(([, pattern]) => pattern.test(agent))?.[0];
  const system = [
    ["Android", /Android/],
    ["iOS", /iPhone|iPad/],
    ["Windows", /Windows/],
    ["macOS", /Mac OS/],
    ["Linux", /Linux/],
  ].find(([, pattern]) => pattern.test(agent))?.[0];
  if (program && system) return t("device.both", { program, system });
  return program ?? system ?? agent.slice(0, 40);
}
