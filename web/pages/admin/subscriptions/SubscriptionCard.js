import { html, useState } from "preact";
import { Badge } from "../../../components/Badge.js";
import { Button } from "../../../components/Button.js";
import { Card } from "../../../components/Card.js";
import { Facts } from "../../../components/Stat.js";
import { EmptyState, Loaded } from "../../../components/States.js";
import { api } from "../../../lib/api.js";
import { date } from "../../../lib/format.js";
import { t } from "../../../lib/i18n.js";
import { useResource } from "../../../lib/resource.js";
import { useMayChange } from "../Person.js";
import { cancelSubscription } from "./cancel.js";
import { PlanDialog } from "./PlanDialog.js";
import { StatusBadge } from "./Status.js";

function Current({ subscription }) {
  return html`<${Facts}
    of=${[
      { label: t("admin.plan"), value: html`<${Badge} tone="accent">${subscription.plan}<//>` },
      {
        label: t("admin.subscription.started"),
        value: date(subscription.started_at),
      },
      {
        label: t("admin.subscription.ends"),
        value: subscription.expires_at
          ? date(subscription.expires_at)
          : t("admin.subscription.endless"),
      },
    ]}
  />`;
}

function Former({ rows }) {
  if (rows.length === 0) return null;
  return html`<div class="mt-5 border-t border-line pt-4">
    <h3 class="mb-2 text-sm font-medium">${t("admin.subscription.former")}</h3>
    <ul class="grid gap-2 text-sm">
      ${rows.map(
        (
          row,
        ) => html`<li key=${row.id} class="flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
          <span>${row.plan} <${StatusBadge} status=${row.status} /></span>
          <span class="text-muted">${date(row.started_at)} – ${date(row.canceled_at ?? row.expires_at)}</span>
        </li>`,
      )}
    </ul>
  </div>`;
}

/** How many former plans are told. */
const shown = 6;

/** The plan that an account has, those that it had, and a change. */
export function SubscriptionCard({ user, turn, onChanged }) {
  const mayChange = useMayChange();
  const [open, setOpen] = useState(false);
  const query = { user_id: user.id, limit: shown };
  const load = (signal) => api.get("/admin/subscriptions", { query, signal });
  const list = useResource(load, [user.id, turn]);
  const active = list.data?.items.find((row) => row.status === "active") ?? null;
  const changed = () => {
    setOpen(false);
    onChanged();
  };
  const cancel = async () => {
    if (await cancelSubscription(active, user.email)) onChanged();
  };
  const actions =
    mayChange &&
    list.data &&
    html`<${Button} small onClick=${() => setOpen(true)}>
        ${active ? t("admin.subscription.change") : t("admin.subscription.give")}
      <//>
      ${active && html`<${Button} small kind="danger" onClick=${cancel}>${t("admin.subscription.cancel")}<//>`}`;
  return html`<${Card} title=${t("admin.subscription.title")} actions=${actions}>
    <${Loaded} of=${list} lines=${4}>
      ${(data) => html`${
        active
          ? html`<${Current} subscription=${active} />`
          : html`<${EmptyState} icon="plan" title=${t("admin.user.noPlan")} text=${t("admin.user.noPlanText")} />`
      }
        <${Former} rows=${data.items.filter((row) => row !== active)} />`}
    <//>
    ${
      open &&
      html`<${PlanDialog}
      user=${user}
      subscription=${active}
      onClose=${() => setOpen(false)}
      onSaved=${changed}
    />`
    }
  <//>`;
}
