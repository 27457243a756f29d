import { html } from "preact";
import { Card } from "../../components/Card.js";
import { CSVButton } from "../../components/CSVButton.js";
import { FilterSelect, Filters, FilterText } from "../../components/Filters.js";
import { Page } from "../../components/Page.js";
import { Segments } from "../../components/Segments.js";
import { Share, Stat } from "../../components/Stat.js";
import { EmptyState, Loaded } from "../../components/States.js";
import { ListTable } from "../../components/Table.js";
import { api } from "../../lib/api.js";
import { metricName, number } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";
import { periods } from "../../lib/periods.js";
import { useList, useResource } from "../../lib/resource.js";
import { setQuery, usePlace } from "../../lib/router.js";
import { OfPerson } from "./OfPerson.js";
import { UserLink } from "./Person.js";
import { periodTitle } from "./period.js";
import { usePlans } from "./plans/all.js";
import { reading } from "./plans/grammar.js";
import { share } from "./share.js";

const lengths = ["month", "day", "hour"];

/** The metrics that plans speak of. Others may be counted too: any can be typed. */
function metricsOf(plans) {
  const named = plans
    .flatMap((plan) => Object.keys(plan.limits))
    .map(reading)
    .filter((found) => found && !["concurrent", "max"].includes(found.kind));
  return [...new Set(["requests", ...named.map(({ metric }) => metric)])].sort();
}

/** What the address asks for: a metric, a length and one of its newest periods, and perhaps whose. */
function useAsked() {
  const { query } = usePlace();
  const by = lengths.includes(query.get("by")) ? query.get("by") : "month";
  const all = periods(by).reverse();
  const period = all.includes(query.get("period")) ? query.get("period") : all[0];
  const user = query.get("user_id");
  const metric = query.get("metric") ?? (user ? null : "requests");
  return { by, all, period, user, metric };
}

/** What all customers used together, and how many of them are on the list so far. */
function Totals({ asked, total }) {
  return html`<div class="grid grid-cols-[minmax(0,1fr)] gap-3 sm:grid-cols-2">
    <${Stat}
      label=${t("admin.usage.total", { metric: metricName(asked.metric) })}
      value=${number(total.total)}
      note=${periodTitle(asked.period)}
    />
    <${Stat}
      label=${t("admin.usage.most")}
      value=${total.items[0] ? share(total.items[0].value, total.total) : "–"}
      note=${total.items[0]?.email ?? t("admin.top.none")}
    />
  </div>`;
}

function columns({ asked, total }) {
  const most = total?.items[0]?.value ?? 0;
  return [
    {
      key: "email",
      label: t("admin.customer"),
      cell: (row) => html`<${UserLink} id=${row.user_id} email=${row.email} />`,
    },
    { key: "metric", label: t("usage.metric"), cell: (row) => metricName(row.metric) },
    !asked.user &&
      most > 0 && {
        key: "bar",
        label: t("admin.share"),
        hidden: true,
        cell: (row) =>
          html`<span class="block w-28 sm:w-full"><${Share} share=${row.value / most} /></span>`,
      },
    { key: "value", label: t("admin.usage.used"), end: true, cell: (row) => number(row.value) },
    !asked.user &&
      total?.total > 0 && {
        key: "share",
        label: t("admin.share"),
        end: true,
        cell: (row) => share(row.value, total.total),
      },
  ].filter(Boolean);
}

/** What was used of a metric in a period, who used most first; or all that one account used. */
export function Usage() {
  const asked = useAsked();
  const plans = usePlans();
  const { metric, period, user } = asked;
  const query = { metric, period, user_id: user };
  const list = useList("/admin/usage", query);
  const first = (signal) => api.get("/admin/usage", { query: { ...query, limit: 1 }, signal });
  // One customer's list is short, and has no first among many.
  const total = useResource(
    async (signal) => (user ? null : first(signal)),
    [metric, period, user],
  );
  const save = () => api.download("/admin/usage", { query: { ...query, format: "csv" } });
  return html`<${Page}
    title=${t("admin.usage.title")}
    about=${t("admin.usage.about")}
    actions=${html`<${CSVButton} save=${save} />`}
  >
    ${
      !user &&
      html`<${Loaded} of=${total} lines=${3}>${(data) => html`<${Totals} asked=${asked} total=${data} />`}<//>`
    }
    <${Card} flush>
      <${Filters} names=${["metric", "by", "period", "user_id"]}>
        <${FilterText} name="metric" label=${t("usage.metric")} list=${metricsOf(plans)} />
        <${OfPerson} name="user_id" />
        <${Segments}
          label=${t("admin.usage.length")}
          name="by"
          value=${asked.by}
          options=${lengths.map((value) => ({ value, label: t(`usage.${value}`) }))}
          onValue=${(by) => setQuery({ by, period: null })}
        />
        <${FilterSelect}
          name="period"
          label=${t("admin.usage.period")}
          options=${asked.all.map((value) => ({ value, label: periodTitle(value) }))}
        />
      <//>
      <${ListTable}
        list=${list}
        label=${t("admin.usage.title")}
        columns=${columns({ asked, total: total.data })}
        rowKey=${(row) => `${row.user_id} ${row.metric}`}
        empty=${html`<${EmptyState} icon="usage" title=${t("admin.top.none")} text=${t("admin.usage.noneText")} />`}
      />
    <//>
  <//>`;
}
