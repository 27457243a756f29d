import { locale } from "../../lib/i18n.js";

/** A part of a whole, with a digit behind the point where the whole number would hide it. */
export function share(part, whole) {
  const value = whole > 0 ? part / whole : 0;
  const digits = value > 0 && value < 0.1 ? 1 : 0;
  const options = { style: "percent", maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale(), options).format(value);
}
