import { html, useState } from "preact";
import { Alert } from "../components/Alert.js";
import { Badge } from "../components/Badge.js";
import { Card } from "../components/Card.js";
import { Limits } from "../components/Limits.js";
import { Page } from "../components/Page.js";
import { EmptyState, Loaded } from "../components/States.js";
import { UsageChart } from "../components/UsageChart.js";
import { api } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { attempt } from "../lib/notices.js";
import { useResource } from "../lib/resource.js";
import { session } from "../lib/session.js";
import { useStore } from "../lib/store.js";

function Unverified({ email }) {
  const [sent, setSent] = useState(false);
  const send = async () => {
    const work = () => api.post("/auth/resend-verification", { email }, { anonymous: true });
    setSent(await attempt(work, t("mail.sentAgain")));
  };
  return html`<${Alert} tone="warn">
    ${t("overview.unverified", { email })}${" "}
    ${!sent && html`<button type="button" class="font-semibold underline" onClick=${send}>${t("mail.again")}</button>`}
  <//>`;
}

function FirstKey() {
  return html`<${Card}>
    <${EmptyState}
      icon="key"
      title=${t("overview.noKeys")}
      text=${t("overview.noKeysText")}
      action=${html`<a class="button button-main" href="/keys?new=1">${t("keys.new")}</a>`}
    />
  <//>`;
}

function NoPlan() {
  return html`<${EmptyState}
    icon="plan"
    title=${t("overview.noPlan")}
    text=${t("overview.noPlanText")}
    action=${html`<a class="button button-main" href="/plans">${t("plans.see")}</a>`}
  />`;
}

/** The plan and what is left of it, the newest usage, and what to do first. */
export function Overview() {
  const { user } = useStore(session);
  const report = useResource((signal) => api.get("/usage", { signal }), []);
  const keys = useResource((signal) => api.get("/api-keys", { query: { limit: 1 }, signal }), []);
  const plan = report.data?.plan;
  return html`<${Page}
    title=${user.name ? t("overview.hello", { name: user.name }) : t("overview.title")}
    about=${t("overview.about")}
  >
    ${!user.email_verified && html`<${Unverified} email=${user.email} />`}
    ${keys.data?.items.length === 0 && html`<${FirstKey} />`}
    <${Card}
      title=${t("overview.limits")}
      actions=${html`${plan && html`<${Badge} tone="accent">${plan}<//>`}
        <a class="button button-small" href="/plans">${t("plans.change")}</a>`}
    >
      <${Loaded} of=${report} lines=${6}>
        ${(data) => (data.plan ? html`<${Limits} report=${data} />` : html`<${NoPlan} />`)}
      <//>
    <//>
    <${Card}
      title=${t("overview.usage")}
      about=${t("overview.usageAbout")}
      actions=${html`<a class="button button-small" href="/usage">${t("usage.details")}</a>`}
    >
      <${UsageChart} metric="requests" granularity="day" />
    <//>
  <//>`;
}
