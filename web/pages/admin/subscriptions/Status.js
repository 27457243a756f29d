import { html } from "preact";
import { Badge } from "../../../components/Badge.js";
import { t } from "../../../lib/i18n.js";

const tones = { active: "ok", canceled: "plain", expired: "warn" };

/** For a choice of one. */
export function statuses() {
  return Object.keys(tones).map((value) => ({ value, label: t(`admin.subscription.${value}`) }));
}

/** @param {{status: keyof typeof tones}} props */
export function StatusBadge({ status }) {
  return html`<${Badge} tone=${tones[status]}>${t(`admin.subscription.${status}`)}<//>`;
}
