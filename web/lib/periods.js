/** How many periods a graph shows of each length. */
export const shown = { hour: 48, day: 30, month: 12 };

/** The newest periods of a length, oldest first, as the API names them (in UTC). */
export function periods(granularity, count = shown[granularity], now = new Date()) {
  return Array.from({ length: count }, (_, index) => {
    const back = count - 1 - index;
    const moment = new Date(now);
    if (granularity === "month") moment.setUTCMonth(moment.getUTCMonth() - back, 1);
    if (granularity === "day") moment.setUTCDate(moment.getUTCDate() - back);
    if (granularity === "hour") moment.setUTCHours(moment.getUTCHours() - back);
    return moment.toISOString().slice(0, { month: 7, day: 10, hour: 13 }[granularity]);
  });
}

/** A value for each period: what the API leaves out is 0. */
export function filled(wanted, items) {
  const values = new Map(items.map(({ period, value }) => [period, value]));
  return wanted.map((period) => values.get(period) ?? 0);
}
