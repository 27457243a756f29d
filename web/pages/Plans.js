import { html } from "preact";
import { Badge } from "../components/Badge.js";
import { Button } from "../components/Button.js";
import { Icon } from "../components/Icon.js";
import { Page } from "../components/Page.js";
import { EmptyState, Loaded } from "../components/States.js";
import { api } from "../lib/api.js";
import { date } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { inOrder, limitLines } from "../lib/limits.js";
import { attempt, confirm } from "../lib/notices.js";
import { useResource } from "../lib/resource.js";
import { updateUser } from "../lib/session.js";

async function load(signal) {
  const [plans, subscription] = await Promise.all([
    api.get("/plans", { query: { limit: 200 }, signal }),
    api.get("/subscription", { signal }).catch((error) => {
      // Somebody without a plan has no subscription: that is an answer.
      if (error.status === 404) return null;
      throw error;
    }),
  ]);
  return { plans: inOrder(plans.items), subscription };
}

function PlanCard({ plan, isCurrent, choose }) {
  return html`<section
    aria-label=${plan.name}
    class=${`flex flex-col rounded-xl border bg-surface p-5 shadow-card ${isCurrent ? "border-accent ring-1 ring-accent" : "border-line"}`}
  >
    <div class="flex items-start justify-between gap-3">
      <h2 class="text-lg font-semibold">${plan.name}</h2>
      ${isCurrent && html`<${Badge} tone="accent">${t("plans.current")}<//>`}
    </div>
    ${plan.description && html`<p class="mt-1 text-sm text-muted">${plan.description}</p>`}
    <ul class="mt-4 mb-6 grid gap-2 text-sm">
      ${limitLines(plan.limits).map(
        ({ name, text }) => html`<li key=${name} class="flex gap-2.5">
          <span class="mt-0.5 text-accent"><${Icon} name="check" size=${16} /></span>${text}
        </li>`,
      )}
    </ul>
    <div class="mt-auto grid">
      ${
        !isCurrent &&
        (plan.self_service
          ? html`<${Button} kind="main" onClick=${choose}>${t("plans.choose", { plan: plan.name })}<//>`
          : html`<p class="text-sm text-muted">${t("plans.ask")}</p>`)
      }
    </div>
  </section>`;
}

/** The plans there are, the one that is one's own, and the way to another. */
export function Plans() {
  const state = useResource(load, []);
  const change = async (work, done) => {
    if (await attempt(work, done)) {
      state.reload();
      await attempt(async () => updateUser(await api.get("/me")));
    }
  };
  const choose = async (plan) => {
    const question = {
      title: t("plans.chooseTitle", { plan: plan.name }),
      body: t("plans.chooseBody"),
      action: t("plans.choose", { plan: plan.name }),
    };
    if (!(await confirm(question))) return;
    await change(
      () => api.post("/subscribe", { plan: plan.slug }),
      t("plans.chosen", { plan: plan.name }),
    );
  };
  const cancel = async (name) => {
    const question = {
      title: t("plans.cancelTitle", { plan: name }),
      body: t("plans.cancelBody"),
      action: t("plans.cancel"),
      danger: true,
    };
    if (!(await confirm(question))) return;
    await change(() => api.delete("/subscription"), t("plans.canceled"));
  };
  return html`<${Page} title=${t("plans.title")} about=${t("plans.about")}>
    <${Loaded} of=${state} lines=${8}>
      ${({ plans, subscription }) => {
        const active = subscription?.status === "active" ? subscription : null;
        const name = plans.find((plan) => plan.slug === active?.plan)?.name ?? active?.plan;
        if (plans.length === 0) return html`<${EmptyState} icon="plan" title=${t("plans.none")} />`;
        return html`<div class="grid gap-5 sm:grid-cols-2 lg:grid-cols-3">
            ${plans.map(
              (plan) => html`<${PlanCard}
                key=${plan.slug}
                plan=${plan}
                isCurrent=${plan.slug === active?.plan}
                choose=${() => choose(plan)}
              />`,
            )}
          </div>
          ${
            active &&
            html`<div class="flex flex-wrap items-center justify-between gap-3 text-sm text-muted">
            <p>
              ${t("plans.since", { plan: name, date: date(active.started_at) })}
              ${active.expires_at && ` ${t("plans.until", { date: date(active.expires_at) })}`}
            </p>
            <${Button} kind="danger" small onClick=${() => cancel(name)}>${t("plans.cancel")}<//>
          </div>`
          }`;
      }}
    <//>
  <//>`;
}
