import { html } from "preact";
import { Badge } from "../../../components/Badge.js";
import { t } from "../../../lib/i18n.js";

const tones = { user: "plain", support: "accent", admin: "warn" };

/** For a choice of one. */
export function roles() {
  return Object.keys(tones).map((value) => ({ value, label: t(`admin.role.${value}`) }));
}

/** @param {{role: keyof typeof tones}} props */
export function RoleBadge({ role }) {
  return html`<${Badge} tone=${tones[role]}>${t(`admin.role.${role}`)}<//>`;
}
