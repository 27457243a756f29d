import { html } from "preact";
import { Button } from "../../../components/Button.js";
import { Field, Form, Select } from "../../../components/Form.js";
import { Modal } from "../../../components/Modal.js";
import { api } from "../../../lib/api.js";
import { useForm } from "../../../lib/form.js";
import { t } from "../../../lib/i18n.js";
import { toast } from "../../../lib/notices.js";
import { livePlans, usePlans } from "../plans/all.js";
import { dayOf, endOf, monthsOn } from "./days.js";

/** What of it is new; an end that was not touched is not sent, since a day would round it. */
function changes(subscription, { plan, expires_at }) {
  const body = {};
  if (plan !== subscription.plan) body.plan = plan;
  if (expires_at !== dayOf(subscription.expires_at)) body.expires_at = endOf(expires_at);
  return body;
}

async function give(user, { plan, expires_at }) {
  const body = { user_id: user.id, plan };
  if (expires_at) body.expires_at = endOf(expires_at);
  await api.post("/admin/subscriptions", body);
}

async function change(subscription, values) {
  const body = changes(subscription, values);
  if (Object.keys(body).length > 0)
    await api.patch(`/admin/subscriptions/${subscription.id}`, body);
}

/**
 * Gives somebody a plan, or changes the one they have and its end.
 * @param {{user: {id: string, email: string}, subscription: object | null, onClose: () => void,
 *   onSaved: () => void}} props
 */
export function PlanDialog({ user, subscription, onClose, onSaved }) {
  const plans = livePlans(usePlans());
  const form = useForm({
    initial: { plan: subscription?.plan ?? "", expires_at: dayOf(subscription?.expires_at) },
    async submit(values) {
      await (subscription ? change(subscription, values) : give(user, values));
      toast.ok(t("admin.subscription.saved", { email: user.email, plan: values.plan }));
      onSaved();
    },
  });
  const options = plans.some(({ value }) => value === form.values.plan)
    ? plans
    : [
        { value: form.values.plan, label: form.values.plan || t("admin.subscription.choose") },
        ...plans,
      ];
  const extend = (months) => form.set("expires_at", monthsOn(form.values.expires_at, months));
  return html`<${Modal} title=${t("admin.subscription.dialogTitle", { email: user.email })} onClose=${onClose}>
    <${Form} of=${form} submit=${t("action.save")} onCancel=${onClose}>
      <${Select}
        ...${form.field("plan")}
        id="subscription-plan"
        label=${t("admin.plan")}
        options=${options}
        hint=${t("admin.subscription.planHint")}
      />
      <${Field}
        ...${form.field("expires_at")}
        id="subscription-end"
        type="date"
        label=${t("admin.subscription.ends")}
        hint=${t("admin.subscription.endHint")}
        optional
      />
      <div class="-mt-1 flex flex-wrap gap-2">
        <${Button} small onClick=${() => extend(1)}>${t("admin.subscription.month")}<//>
        <${Button} small onClick=${() => extend(12)}>${t("admin.subscription.year")}<//>
        <${Button} small kind="quiet" onClick=${() => form.set("expires_at", "")}>${t("admin.subscription.noEnd")}<//>
      </div>
    <//>
  <//>`;
}
