import { html, useState } from "preact";
import { Badge } from "../../components/Badge.js";
import { Button } from "../../components/Button.js";
import { CSVButton } from "../../components/CSVButton.js";
import { Page } from "../../components/Page.js";
import { EmptyState, Loaded } from "../../components/States.js";
import { api } from "../../lib/api.js";
import { date } from "../../lib/format.js";
import { t, tn } from "../../lib/i18n.js";
import { limitInWords, limitLines } from "../../lib/limits.js";
import { attempt, confirm, toast } from "../../lib/notices.js";
import { useResource } from "../../lib/resource.js";
import { setQuery, usePlace } from "../../lib/router.js";
import { useMayChange } from "./Person.js";
import { PlanForm } from "./plans/PlanForm.js";

async function load(signal) {
  const [plans, stats] = await Promise.all([
    api.get("/admin/plans", { query: { limit: 200 }, signal }),
    api.get("/admin/stats", { signal }),
  ]);
  const customers = new Map(stats.subscriptions.map((row) => [row.plan, row.active]));
  return plans.items.map((plan) => ({ ...plan, customers: customers.get(plan.slug) ?? 0 }));
}

function Marks({ plan }) {
  return html`<span class="flex flex-wrap gap-1.5">
    ${plan.is_default && html`<${Badge} tone="accent">${t("admin.plan.default")}<//>`}
    ${plan.archived_at && html`<${Badge}>${t("admin.plan.archived")}<//>`}
    ${!plan.archived_at && !plan.self_service && html`<${Badge} tone="warn">${t("admin.plan.byStaff")}<//>`}
  </span>`;
}

function LimitList({ limits }) {
  const lines = limitLines(limits);
  if (lines.length === 0)
    return html`<p class="mt-4 text-sm text-muted">${t("admin.plan.noLimits")}</p>`;
  return html`<ul class="mt-4 grid gap-2.5 text-sm">
    ${lines.map(
      ({ name }) => html`<li key=${name}>
        <span class="block">${limitInWords(name, limits[name])}</span>
        <code class="font-mono text-xs break-all text-muted">${name}</code>
      </li>`,
    )}
  </ul>`;
}

function PlanCard({ plan, mayChange, edit, archive }) {
  return html`<section
    aria-label=${plan.name}
    class="flex flex-col rounded-xl border border-line bg-surface p-5 shadow-card"
  >
    <div class="flex flex-wrap items-start justify-between gap-2">
      <div class="min-w-0">
        <h2 class="text-lg font-semibold break-words">${plan.name}</h2>
        <code class="font-mono text-xs text-muted">${plan.slug}</code>
      </div>
      <${Marks} plan=${plan} />
    </div>
    ${plan.description && html`<p class="mt-2 text-sm text-muted">${plan.description}</p>`}
    <${LimitList} limits=${plan.limits} />
    <div class="mt-auto flex flex-wrap items-center justify-between gap-2 pt-5">
      <a href=${`/admin/subscriptions?plan=${plan.slug}&status=active`} class="link text-sm">
        ${tn("admin.plan.customers", plan.customers)}
      </a>
      ${
        plan.archived_at
          ? html`<span class="text-sm text-muted">${t("admin.plan.archivedOn", { date: date(plan.archived_at) })}</span>`
          : mayChange &&
            html`<span class="inline-flex gap-2">
            <${Button} small icon="pencil" onClick=${edit}>${t("admin.edit")}<//>
            <${Button} small kind="danger" onClick=${archive}>${t("admin.plan.archive")}<//>
          </span>`
      }
    </div>
  </section>`;
}

/** Every plan: what it allows, who may choose it, how many have it. */
export function Plans() {
  const { query } = usePlace();
  const mayChange = useMayChange();
  const plans = useResource(load, []);
  const [edited, setEdited] = useState(null);
  const save = () => api.download("/admin/plans", { query: { format: "csv" } });
  const close = () => {
    setEdited(null);
    setQuery({ new: null });
  };
  const saved = (plan) => {
    close();
    toast.ok(t("admin.plan.saved", { name: plan.name }));
    plans.reload();
  };
  const archive = async (plan) => {
    const question = {
      title: t("admin.plan.archiveTitle", { name: plan.name }),
      body: tn("admin.plan.archiveBody", plan.customers),
      action: t("admin.plan.archive"),
      danger: true,
    };
    if (!(await confirm(question))) return;
    const done = t("admin.plan.archivedDone", { name: plan.name });
    if (await attempt(() => api.delete(`/admin/plans/${plan.slug}`), done)) plans.reload();
  };
  const create = html`<${Button} kind="main" icon="plus" onClick=${() => setQuery({ new: 1 })}>${t("admin.plan.new")}<//>`;
  const isOpen = mayChange && (edited !== null || query.has("new"));
  return html`<${Page}
    title=${t("admin.plans.title")}
    about=${t("admin.plans.about")}
    actions=${html`<${CSVButton} save=${save} />${mayChange && create}`}
  >
    <${Loaded} of=${plans} lines=${8}>
      ${(data) => {
        if (data.length === 0) return html`<${EmptyState} icon="plan" title=${t("plans.none")} />`;
        const inUse = [...data].sort(
          (a, b) => Number(Boolean(a.archived_at)) - Number(Boolean(b.archived_at)),
        );
        return html`<div class="grid gap-5 sm:grid-cols-2 xl:grid-cols-3">
          ${inUse.map(
            (plan) => html`<${PlanCard}
              key=${plan.slug}
              plan=${plan}
              mayChange=${mayChange}
              edit=${() => setEdited(plan)}
              archive=${() => archive(plan)}
            />`,
          )}
        </div>`;
      }}
    <//>
    ${isOpen && html`<${PlanForm} key=${edited?.slug} plan=${edited} onClose=${close} onSaved=${saved} />`}
  <//>`;
}
