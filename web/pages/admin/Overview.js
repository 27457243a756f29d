import { html, useState } from "preact";
import { Badge } from "../../components/Badge.js";
import { Card } from "../../components/Card.js";
import { Chart } from "../../components/Chart.js";
import { Page } from "../../components/Page.js";
import { Segments } from "../../components/Segments.js";
import { Share, Stat } from "../../components/Stat.js";
import { EmptyState, Loaded } from "../../components/States.js";
import { Table } from "../../components/Table.js";
import { api } from "../../lib/api.js";
import { number, periodName } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";
import { useResource } from "../../lib/resource.js";
import { Health } from "./Health.js";
import { UserLink } from "./Person.js";
import { periodTitle } from "./period.js";
import { share } from "./share.js";

function Totals({ totals }) {
  const asked = totals.requests_allowed_today + totals.requests_refused_today;
  return html`<div class="grid grid-cols-2 gap-3 lg:grid-cols-4">
    <${Stat}
      label=${t("admin.stat.users")}
      value=${number(totals.users)}
      note=${t("admin.stat.usersToday", { count: totals.users_created_today })}
      href="/admin/users"
    />
    <${Stat}
      label=${t("admin.stat.subscriptions")}
      value=${number(totals.subscriptions_active)}
      note=${t("admin.stat.month", { count: totals.requests_month })}
      href="/admin/subscriptions?status=active"
    />
    <${Stat}
      label=${t("admin.stat.requests")}
      value=${number(asked)}
      note=${t("admin.stat.refused", { share: share(totals.requests_refused_today, asked) })}
      tone=${asked > 0 && totals.requests_refused_today / asked > 0.05 ? "warn" : "plain"}
    />
    <${Stat}
      label=${t("admin.stat.signIns")}
      value=${number(totals.sign_ins_today)}
      note=${t("admin.stat.signInsFailed", { count: totals.sign_ins_failed_today })}
      href="/admin/audit?action=session.signed_in"
    />
  </div>`;
}

/** Lines of the answer's series, by name, under one axis. */
function Lines({ data, names, granularity, type, label }) {
  const found = names.map((name) =>
    data.series.find((line) => line.name === name && line.granularity === granularity),
  );
  const sum = found.flatMap((line) => line.points).reduce((total, point) => total + point.value, 0);
  if (sum === 0) {
    return html`<${EmptyState} icon="usage" title=${t("admin.chart.none")} text=${t("admin.chart.noneText")} />`;
  }
  return html`<${Chart}
    type=${type}
    label=${label}
    labels=${found[0].points.map((point) => periodName(point.period))}
    series=${found.map((line) => ({
      name: t(`admin.series.${line.name}`),
      values: line.points.map((point) => point.value),
    }))}
  />`;
}

function Refusals({ rows }) {
  const sum = rows.reduce((total, row) => total + row.days_30, 0);
  const columns = [
    {
      key: "code",
      label: t("admin.refusals.code"),
      cell: (row) => html`<code class="font-mono text-xs">${row.code}</code>`,
    },
    { key: "today", label: t("admin.refusals.today"), end: true, cell: (row) => number(row.today) },
    {
      key: "days_30",
      label: t("admin.refusals.month"),
      end: true,
      cell: (row) => number(row.days_30),
    },
    {
      key: "share",
      label: t("admin.share"),
      end: true,
      cell: (row) => share(row.days_30, sum),
    },
  ];
  return html`<${Table}
    label=${t("admin.refusals.title")}
    columns=${columns}
    rows=${rows}
    rowKey=${(row) => row.code}
    empty=${html`<${EmptyState} icon="check" title=${t("admin.refusals.none")} />`}
  />`;
}

function TopCustomers({ data }) {
  const most = data.top_users[0]?.requests ?? 0;
  const columns = [
    {
      key: "email",
      label: t("admin.customer"),
      cell: (row) => html`<${UserLink} id=${row.user_id} email=${row.email} />`,
    },
    {
      key: "bar",
      label: t("admin.share"),
      hidden: true,
      cell: (row) =>
        html`<span class="block w-24 sm:w-full"><${Share} share=${row.requests / most} /></span>`,
    },
    { key: "requests", label: t("admin.requests"), end: true, cell: (row) => number(row.requests) },
  ];
  return html`<${Table}
    label=${t("admin.top.title")}
    columns=${columns}
    rows=${data.top_users.filter((row) => row.requests > 0)}
    rowKey=${(row) => row.user_id}
    empty=${html`<${EmptyState} icon="usage" title=${t("admin.top.none")} />`}
  />`;
}

function PlanShares({ rows }) {
  const sum = rows.reduce((total, row) => total + row.active, 0);
  if (sum === 0) return html`<${EmptyState} icon="plan" title=${t("admin.plans.noCustomers")} />`;
  return html`<ul class="grid gap-x-10 gap-y-3.5 sm:grid-cols-2 lg:grid-cols-3">
    ${rows.map(
      (row) => html`<li key=${row.plan}>
        <div class="mb-1.5 flex items-baseline justify-between gap-3 text-sm">
          <a href=${`/admin/subscriptions?plan=${row.plan}&status=active`} class="font-medium hover:text-accent hover:underline">${row.plan}</a>
          <span class="tabular-nums text-muted">${number(row.active)} · ${share(row.active, sum)}</span>
        </div>
        <${Share} share=${row.active / sum} />
      </li>`,
    )}
  </ul>`;
}

/** What happened over time, by hour or by day. */
function Charts({ data }) {
  const [granularity, setGranularity] = useState("day");
  const span = t(`usage.by.${granularity}`);
  const lines = (label, names, type) =>
    html`<${Lines} data=${data} names=${names} granularity=${granularity} type=${type} label=${label} />`;
  const lengths = html`<${Segments}
    label=${t("usage.length")}
    name="by"
    value=${granularity}
    options=${["hour", "day"].map((value) => ({ value, label: t(`usage.${value}`) }))}
    onValue=${setGranularity}
  />`;
  const requests = t("admin.chart.requests");
  const signIns = t("admin.chart.signIns");
  const users = t("admin.chart.users");
  return html`<${Card} title=${requests} about=${span} actions=${lengths}>
      ${lines(requests, ["requests_allowed", "requests_refused"], "line")}
    <//>
    <div class=${halves}>
      <${Card} title=${signIns} about=${span}>
        ${lines(signIns, ["sign_ins", "sign_ins_failed"])}
      <//>
      <${Card} title=${users} about=${span}>${lines(users, ["users_created"])}<//>
    </div>`;
}

const halves = "grid grid-cols-[minmax(0,1fr)] items-start gap-6 lg:grid-cols-2";

function Lists({ data }) {
  const { totals } = data;
  const all = html`<a class="button button-small" href="/admin/usage">${t("admin.top.all")}</a>`;
  const month = t("admin.top.about", { month: periodTitle(totals.month) });
  const isIll = totals.jobs_dead > 0 || totals.drill_ok === false;
  const mark = isIll && html`<${Badge} tone="danger">${t("admin.health.look")}<//>`;
  return html`<div class=${halves}>
      <${Card} title=${t("admin.top.title")} about=${month} actions=${all} flush>
        <${TopCustomers} data=${data} />
      <//>
      <div class="grid grid-cols-[minmax(0,1fr)] gap-6">
        <${Card} title=${t("admin.health.title")} actions=${mark}><${Health} totals=${totals} /><//>
        <${Card} title=${t("admin.refusals.title")} about=${t("usage.by.day")} flush>
          <${Refusals} rows=${data.refusals} />
        <//>
      </div>
    </div>
    <${Card} title=${t("admin.plans.customers")}><${PlanShares} rows=${data.subscriptions} /><//>`;
}

/** How the installation does: its people, its traffic, who uses it most, and whether it is well. */
export function Overview() {
  const stats = useResource((signal) => api.get("/admin/stats", { signal }), []);
  return html`<${Page} title=${t("admin.overview.title")} about=${t("admin.overview.about")}>
    <${Loaded} of=${stats} lines=${9}>
      ${(data) => html`<${Totals} totals=${data.totals} /><${Charts} data=${data} /><${Lists} data=${data} />`}
    <//>
  <//>`;
}
