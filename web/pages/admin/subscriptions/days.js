/** Days of the reader's calendar, as `<input type="date">` has them: `2026-11-25`. */

function written(moment) {
  const two = (value) => String(value).padStart(2, "0");
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}

function read(day) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date);
}

/** The day of a time; empty for none. @param {string | null | undefined} time RFC 3339 */
export function dayOf(time) {
  return time ? written(new Date(time)) : "";
}

/** Its beginning, for a list that starts there. @returns {string | null} RFC 3339 */
export function startOf(day) {
  return day ? read(day).toISOString() : null;
}

/** Its last moment: what ends on a day lasts all of it. @returns {string | null} RFC 3339 */
export function endOf(day) {
  if (!day) return null;
  const next = read(day);
  next.setDate(next.getDate() + 1);
  return new Date(next.getTime() - 1).toISOString();
}

/** So many months behind a day, or behind today; the 31st becomes the last of a shorter month. */
export function monthsOn(day, months) {
  const from = day ? read(day) : new Date();
  const wanted = new Date(from.getFullYear(), from.getMonth() + months, 1);
  const last = new Date(wanted.getFullYear(), wanted.getMonth() + 1, 0).getDate();
  wanted.setDate(Math.min(from.getDate(), last));
  return written(wanted);
}
