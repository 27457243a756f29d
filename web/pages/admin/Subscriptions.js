import { html, useState } from "preact";
import { Button } from "../../components/Button.js";
import { Card } from "../../components/Card.js";
import { CSVButton } from "../../components/CSVButton.js";
import { FilterSelect, Filters } from "../../components/Filters.js";
import { Page } from "../../components/Page.js";
import { EmptyState } from "../../components/States.js";
import { ListTable } from "../../components/Table.js";
import { api } from "../../lib/api.js";
import { ago, date, dateTime } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";
import { attempt } from "../../lib/notices.js";
import { useList } from "../../lib/resource.js";
import { setQuery, usePlace } from "../../lib/router.js";
import { OfPerson } from "./OfPerson.js";
import { Person, useMayChange } from "./Person.js";
import { usePlans } from "./plans/all.js";
import { cancelSubscription } from "./subscriptions/cancel.js";
import { Give } from "./subscriptions/Give.js";
import { PlanDialog } from "./subscriptions/PlanDialog.js";
import { StatusBadge, statuses } from "./subscriptions/Status.js";

const filters = ["user_id", "plan", "status"];

function End({ row }) {
  const time = row.canceled_at ?? row.expires_at;
  if (!time) return t("admin.subscription.endless");
  return html`<time title=${dateTime(time)}>${date(time)}</time>
    ${row.status === "active" && html`<span class="block text-xs text-muted">${ago(time)}</span>`}`;
}

function columns({ plans, mayChange, change, cancel }) {
  const nameOf = (slug) => plans.find((plan) => plan.slug === slug)?.name ?? slug;
  return [
    {
      key: "user_id",
      label: t("admin.customer"),
      cell: (row) => html`<${Person} id=${row.user_id} />`,
    },
    { key: "plan", label: t("admin.plan"), cell: (row) => nameOf(row.plan) },
    {
      key: "status",
      label: t("keys.state"),
      cell: (row) => html`<${StatusBadge} status=${row.status} />`,
    },
    {
      key: "started_at",
      label: t("admin.subscription.started"),
      cell: (row) => html`<time title=${dateTime(row.started_at)}>${date(row.started_at)}</time>`,
    },
    {
      key: "ends",
      label: t("admin.subscription.ends"),
      cell: (row) => html`<${End} row=${row} />`,
    },
    mayChange && {
      key: "actions",
      label: t("table.actions"),
      hidden: true,
      end: true,
      cell: (row) =>
        row.status === "active" &&
        html`<span class="inline-flex gap-2">
          <${Button} small onClick=${() => change(row)}>${t("admin.subscription.change")}<//>
          <${Button} small kind="danger" onClick=${() => cancel(row)}>${t("admin.subscription.cancel")}<//>
        </span>`,
    },
  ].filter(Boolean);
}

/** Who has which plan, and had. A change holds from the next request on. */
export function Subscriptions() {
  const { query } = usePlace();
  const mayChange = useMayChange();
  const plans = usePlans();
  const [changed, setChanged] = useState(null);
  const asked = Object.fromEntries(filters.map((name) => [name, query.get(name)]));
  const list = useList("/admin/subscriptions", asked);
  const save = () => api.download("/admin/subscriptions", { query: { ...asked, format: "csv" } });
  const ownerOf = (row) => api.get(`/admin/users/${row.user_id}`);
  const change = (row) =>
    attempt(async () => setChanged({ user: await ownerOf(row), subscription: row }));
  const cancel = (row) =>
    attempt(async () => {
      const { email } = await ownerOf(row);
      if (await cancelSubscription(row, email)) list.reload();
    });
  const saved = () => {
    setChanged(null);
    setQuery({ give: null });
    list.reload();
  };
  const close = () => {
    setChanged(null);
    setQuery({ give: null });
  };
  const give = html`<${Button} kind="main" icon="plus" onClick=${() => setQuery({ give: 1 })}>
    ${t("admin.subscription.give")}
  <//>`;
  return html`<${Page}
    title=${t("admin.subscriptions.title")}
    about=${t("admin.subscriptions.about")}
    actions=${html`<${CSVButton} save=${save} />${mayChange && give}`}
  >
    <${Card} flush>
      <${Filters} names=${filters}>
        <${OfPerson} name="user_id" />
        <${FilterSelect}
          name="plan"
          label=${t("admin.plan")}
          any=${t("admin.anyPlan")}
          options=${plans.map((plan) => ({ value: plan.slug, label: plan.name }))}
        />
        <${FilterSelect} name="status" label=${t("keys.state")} any=${t("admin.anyState")} options=${statuses()} />
      <//>
      <${ListTable}
        list=${list}
        label=${t("admin.subscriptions.title")}
        columns=${columns({ plans, mayChange, change, cancel })}
        empty=${html`<${EmptyState} icon="card" title=${t("admin.subscriptions.none")} text=${t("admin.noneText")} />`}
      />
    <//>
    ${changed && html`<${PlanDialog} ...${changed} onClose=${close} onSaved=${saved} />`}
    ${
      mayChange &&
      query.has("give") &&
      !changed &&
      html`<${Give} onClose=${close} onFound=${setChanged} />`
    }
  <//>`;
}
