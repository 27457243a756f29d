import { html } from "preact";
import { api } from "../lib/api.js";
import { metricName, number, periodName } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { filled, periods } from "../lib/periods.js";
import { useResource } from "../lib/resource.js";
import { Chart } from "./Chart.js";
import { EmptyState, Loaded } from "./States.js";

/**
 * What was used of a metric, in the newest periods of a length.
 * @param {{metric: string, granularity: "hour" | "day" | "month", path?: string}} props `path`
 *   answers the same as /usage/history
 */
export function UsageChart({ metric, granularity, path = "/usage/history" }) {
  const history = useResource(
    async (signal) => {
      const wanted = periods(granularity);
      const query = { metric, granularity, from: wanted[0], to: wanted.at(-1) };
      const { items } = await api.get(path, { query, signal });
      return { wanted, values: filled(wanted, items), metric, granularity };
    },
    [metric, granularity, path],
  );
  return html`<${Loaded} of=${history} lines=${6}>
    ${(data) => {
      const sum = data.values.reduce((total, value) => total + value, 0);
      if (sum === 0) {
        return html`<${EmptyState} icon="usage" title=${t("usage.none")} text=${t("usage.noneText")} />`;
      }
      const name = metricName(data.metric);
      return html`<${Chart}
        label=${t(`usage.chart.${data.granularity}`, { metric: name, sum: number(sum) })}
        labels=${data.wanted.map(periodName)}
        series=${[{ name, values: data.values }]}
      />`;
    }}
  <//>`;
}
