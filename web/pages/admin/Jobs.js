import { html } from "preact";
import { Badge } from "../../components/Badge.js";
import { Button } from "../../components/Button.js";
import { Card } from "../../components/Card.js";
import { CSVButton } from "../../components/CSVButton.js";
import { FilterSelect, Filters } from "../../components/Filters.js";
import { Page } from "../../components/Page.js";
import { EmptyState, Loaded } from "../../components/States.js";
import { ListTable, Table } from "../../components/Table.js";
import { api } from "../../lib/api.js";
import { saveList } from "../../lib/csv.js";
import { ago, dateTime, metricName } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";
import { attempt, confirm } from "../../lib/notices.js";
import { useList, useResource } from "../../lib/resource.js";
import { usePlace } from "../../lib/router.js";
import { shortId, useMayChange } from "./Person.js";

const tones = { queued: "accent", running: "accent", done: "ok", dead: "danger" };

/** Kinds that no schedule begins; the others are named by theirs. */
const unscheduled = ["forget_key", "send_mail"];

const members = [
  "id",
  "kind",
  "state",
  "attempts",
  "attempts_max",
  "run_at",
  "last_error",
  "created_at",
  "finished_at",
];

export function JobState({ state }) {
  return html`<${Badge} tone=${tones[state]}>${t(`admin.job.${state}`)}<//>`;
}

function When({ time }) {
  return html`<time datetime=${time} title=${dateTime(time)} class="whitespace-nowrap">${ago(time)}</time>`;
}

function Kind({ row }) {
  return html`<span class="grid justify-items-end gap-0.5 text-right sm:justify-items-start sm:text-left">
    <span class="block font-medium first-letter:uppercase">${metricName(row.kind)}</span>
    <code title=${row.id} class="font-mono text-xs text-muted">${shortId(row.id)}</code>
  </span>`;
}

/** A job that died, or one that waits for its next try: what waits for its first runs by itself. */
function canRetry(row) {
  return row.state === "dead" || (row.state === "queued" && new Date(row.run_at) > new Date());
}

function columns({ mayChange, retry }) {
  return [
    { key: "kind", label: t("admin.job.kind"), cell: (row) => html`<${Kind} row=${row} />` },
    {
      key: "state",
      label: t("keys.state"),
      cell: (row) => html`<${JobState} state=${row.state} />`,
    },
    {
      key: "attempts",
      label: t("admin.job.attempts"),
      cell: (row) => t("meter.of", { used: row.attempts, limit: row.attempts_max }),
    },
    {
      key: "last_error",
      label: t("admin.job.error"),
      cell: (row) =>
        row.last_error
          ? html`<span class="block max-w-80 text-xs break-words text-danger">${row.last_error}</span>`
          : "–",
    },
    {
      key: "created_at",
      label: t("admin.made"),
      cell: (row) => html`<${When} time=${row.created_at} />`,
    },
    {
      key: "run_at",
      label: t("admin.job.time"),
      cell: (row) => html`<${When} time=${row.finished_at ?? row.run_at} />`,
    },
    mayChange && {
      key: "actions",
      label: t("table.actions"),
      hidden: true,
      end: true,
      cell: (row) =>
        canRetry(row) &&
        html`<${Button} small icon="refresh" onClick=${() => retry(row)}>${t("admin.job.retry")}<//>`,
    },
  ].filter(Boolean);
}

function Schedules({ of }) {
  const columns = [
    {
      key: "name",
      label: t("admin.job.kind"),
      cell: (row) =>
        html`<span class="block font-medium first-letter:uppercase">${metricName(row.name)}</span>`,
    },
    {
      key: "spec",
      label: t("admin.schedule.spec"),
      cell: (row) => html`<code class="font-mono text-xs">${row.spec}</code>`,
    },
    {
      key: "next_at",
      label: t("admin.schedule.next"),
      cell: (row) => html`<${When} time=${row.next_at} />`,
    },
    {
      key: "last_at",
      label: t("admin.schedule.last"),
      cell: (row) => html`<${When} time=${row.last_at} />`,
    },
    {
      key: "last_state",
      label: t("keys.state"),
      cell: (row) => (row.last_state ? html`<${JobState} state=${row.last_state} />` : "–"),
    },
  ];
  return html`<${Loaded} of=${of} lines=${5}>
    ${(data) => html`<${Table}
      label=${t("admin.schedules.title")}
      columns=${columns}
      rows=${data.items}
      rowKey=${(row) => row.name}
      empty=${html`<${EmptyState} icon="clock" title=${t("admin.schedules.none")} />`}
    />`}
  <//>`;
}

/** Work behind the scenes: what waits, what failed for good, and another try of it. */
export function Jobs() {
  const { query } = usePlace();
  const mayChange = useMayChange();
  const schedules = useResource((signal) => api.get("/admin/jobs/schedules", { signal }), []);
  const asked = { state: query.get("state"), kind: query.get("kind") };
  const list = useList("/admin/jobs", asked);
  const kinds = [...unscheduled, ...(schedules.data?.items ?? []).map((row) => row.name)];
  const retry = async (row) => {
    const name = metricName(row.kind);
    const question = {
      title: t("admin.job.retryTitle", { name, id: shortId(row.id) }),
      body: t("admin.job.retryBody"),
      action: t("admin.job.retry"),
    };
    if (!(await confirm(question))) return;
    const work = () => api.post(`/admin/jobs/${row.id}/retry`);
    if (await attempt(work, t("admin.job.retried", { name }))) list.reload();
  };
  const save = () => saveList("/admin/jobs", { query: asked, columns: members, name: "jobs" });
  return html`<${Page}
    title=${t("admin.jobs.title")}
    about=${t("admin.jobs.about")}
    actions=${html`<${Button} icon="refresh" onClick=${list.reload}>${t("admin.reload")}<//><${CSVButton} save=${save} />`}
  >
    <${Card} flush>
      <${Filters} names=${["state", "kind"]}>
        <${FilterSelect}
          name="state"
          label=${t("keys.state")}
          any=${t("admin.anyState")}
          options=${Object.keys(tones).map((value) => ({ value, label: t(`admin.job.${value}`) }))}
        />
        <${FilterSelect}
          name="kind"
          label=${t("admin.job.kind")}
          any=${t("admin.job.anyKind")}
          options=${kinds.map((value) => ({ value, label: metricName(value) }))}
        />
      <//>
      <${ListTable}
        list=${list}
        label=${t("admin.jobs.title")}
        columns=${columns({ mayChange, retry })}
        empty=${html`<${EmptyState} icon="clock" title=${t("admin.jobs.none")} text=${t("admin.noneText")} />`}
      />
    <//>
    <${Card} title=${t("admin.schedules.title")} about=${t("admin.schedules.about")} flush>
      <${Schedules} of=${schedules} />
    <//>
  <//>`;
}
