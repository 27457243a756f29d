import { periodName, periodStart } from "../../lib/format.js";
import { locale } from "../../lib/i18n.js";

/** A period where it stands alone: `November 2026`, which an axis has no room for. */
export function periodTitle(period) {
  if (period.length > 7) return periodName(period);
  const options = { month: "long", year: "numeric", timeZone: "UTC" };
  return new Intl.DateTimeFormat(locale(), options).format(periodStart(period));
}
