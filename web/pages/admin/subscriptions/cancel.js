import { api } from "../../../lib/api.js";
import { t } from "../../../lib/i18n.js";
import { attempt, confirm } from "../../../lib/notices.js";

/** Asks, and takes the plan away at once. Answers whether it did. */
export async function cancelSubscription(subscription, email) {
  const names = { plan: subscription.plan, email };
  const question = {
    title: t("admin.subscription.cancelTitle", names),
    body: t("admin.subscription.cancelBody"),
    action: t("admin.subscription.cancel"),
    danger: true,
  };
  if (!(await confirm(question))) return false;
  const work = () => api.patch(`/admin/subscriptions/${subscription.id}`, { status: "canceled" });
  return attempt(work, t("admin.subscription.canceledDone", names));
}
