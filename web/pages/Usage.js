import { html } from "preact";
import { Button } from "../components/Button.js";
import { Card } from "../components/Card.js";
import { Limits } from "../components/Limits.js";
import { Page } from "../components/Page.js";
import { Segments } from "../components/Segments.js";
import { Loaded } from "../components/States.js";
import { UsageChart } from "../components/UsageChart.js";
import { api } from "../lib/api.js";
import { metricName } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { attempt } from "../lib/notices.js";
import { periods } from "../lib/periods.js";
import { useResource } from "../lib/resource.js";
import { setQuery, usePlace } from "../lib/router.js";

const lengths = ["hour", "day", "month"];

function Metrics({ names, value }) {
  if (names.length < 2) return null;
  return html`<select
    class="input button-small w-auto"
    aria-label=${t("usage.metric")}
    onChange=${(event) => setQuery({ metric: event.target.value })}
  >
    ${names.map(
      (name) =>
        html`<option key=${name} value=${name} selected=${name === value}>${metricName(name)}</option>`,
    )}
  </select>`;
}

/** The graph, by metric and length of period, and every limit. Both choices stand in the address. */
export function Usage() {
  const { query } = usePlace();
  const report = useResource((signal) => api.get("/usage", { signal }), []);
  const names = [...new Set(["requests", ...(report.data?.metrics ?? []).map((m) => m.metric)])];
  const metric = query.get("metric") ?? "requests";
  const granularity = lengths.includes(query.get("by")) ? query.get("by") : "day";
  const save = () => {
    const wanted = periods(granularity);
    const range = { metric, granularity, from: wanted[0], to: wanted.at(-1), format: "csv" };
    return attempt(() => api.download("/usage/history", { query: range }));
  };
  return html`<${Page}
    title=${t("usage.title")}
    about=${t("usage.about")}
    actions=${html`<${Button} icon="download" onClick=${save}>CSV<//>`}
  >
    <${Card}
      title=${t(`usage.by.${granularity}`)}
      actions=${html`<${Metrics} names=${names} value=${metric} />
        <${Segments}
          label=${t("usage.length")}
          name="by"
          value=${granularity}
          options=${lengths.map((value) => ({ value, label: t(`usage.${value}`) }))}
          onValue=${(by) => setQuery({ by })}
        />`}
    >
      <${UsageChart} metric=${metric} granularity=${granularity} />
    <//>
    <${Card} title=${t("usage.limits")}>
      <${Loaded} of=${report} lines=${6}>${(data) => html`<${Limits} report=${data} />`}<//>
    <//>
  <//>`;
}
