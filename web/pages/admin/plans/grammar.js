import { t } from "../../../lib/i18n.js";
import { limitLines } from "../../../lib/limits.js";

/*
 * The grammar of limits, for what is typed: the server has the last word (Limit.swift), and says the
 * same. A row is `{name, value, overage}` as its fields have it: all text but the last.
 */

/** The largest number that JSON carries exactly. */
const valueMax = 2 ** 53;

/** Lower-case letters, digits and single underscores, 40 at most, a letter first. */
function isWord(text) {
  return /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(text) && text.length <= 40;
}

const suffixes = ["burst", "per_second", "per_minute", "per_hour", "per_day", "per_month"];

/** Every reading of a name; it has to have exactly one. */
function readings(name) {
  const found = [];
  for (const suffix of suffixes) {
    if (!name.endsWith(`_${suffix}`)) continue;
    const metric = name.slice(0, -suffix.length - 1);
    if (isWord(metric)) found.push({ kind: suffix, metric });
  }
  for (const prefix of ["concurrent", "max"]) {
    if (!name.startsWith(`${prefix}_`)) continue;
    const metric = name.slice(prefix.length + 1);
    if (isWord(metric)) found.push({ kind: prefix, metric });
  }
  return found;
}

/** What a name means; null when it fits no row of the grammar, or two at once. */
export function reading(name) {
  const found = readings(name);
  return found.length === 1 ? found[0] : null;
}

/** Only a count in a calendar window may go over its bound. */
export function isQuota(name) {
  return ["per_hour", "per_day", "per_month"].includes(reading(name)?.kind);
}

/** What is wrong with a name, in words, among all rows; null if nothing is. */
export function nameFault(row, rows) {
  if (row.name === "") return t("fault.required");
  const found = readings(row.name);
  if (found.length > 1) return t("admin.limit.twice", { name: row.name });
  if (found.length === 0) return t("admin.limit.unknown", { name: row.name });
  if (rows.some((other) => other !== row && other.name === row.name)) {
    return t("admin.limit.repeated", { name: row.name });
  }
  const [{ kind, metric }] = found;
  const names = rows.map((other) => other.name);
  const hasRate = ["second", "minute"].some((per) => names.includes(`${metric}_per_${per}`));
  if (kind === "burst" && !hasRate) return t("admin.limit.burstAlone", { metric });
  return null;
}

/** The same of a value; an empty one is no bound. */
export function valueFault(row) {
  const text = row.value.trim();
  if (text === "") return null;
  if (!/^\d+$/.test(text)) return t("admin.limit.notWhole");
  return Number(text) <= valueMax ? null : t("admin.limit.tooLarge", { max: valueMax });
}

/** Of a plan's `limits`, in the order that they are shown in. */
export function rowsOf(limits) {
  return limitLines(limits).map(({ name }) => {
    const value = limits[name];
    const bound = typeof value === "object" && value !== null ? value.limit : value;
    const overage = typeof value === "object" && value?.overage === "allow";
    return { name, value: bound === null ? "" : String(bound), overage };
  });
}

/** And back. */
export function limitsOf(rows) {
  return Object.fromEntries(rows.map((row) => [row.name, limitOf(row)]));
}

export function limitOf({ name, value, overage }) {
  const bound = value.trim() === "" ? null : Number(value);
  return overage && isQuota(name) && bound !== null ? { limit: bound, overage: "allow" } : bound;
}
