import { html } from "preact";
import { t } from "../lib/i18n.js";
import { Badge } from "./Badge.js";

const isPast = (time) => time !== null && new Date(time) <= new Date();

/** Whether a key still opens anything. */
export const isLive = (row) => !isPast(row.revoked_at) && !isPast(row.expires_at);

export function KeyState({ row }) {
  if (isPast(row.revoked_at)) return html`<${Badge}>${t("keys.revoked")}<//>`;
  if (isPast(row.expires_at)) return html`<${Badge} tone="warn">${t("keys.expired")}<//>`;
  return html`<${Badge} tone="ok">${t("keys.live")}<//>`;
}

export function KeyName({ row }) {
  return html`<span class="grid justify-items-end gap-0.5 text-right sm:justify-items-start sm:text-left">
    <span class="font-medium break-words">${row.name}</span>
    <code class="font-mono text-xs text-muted">${row.prefix}…${row.last_four}</code>
  </span>`;
}

/** What gives power over the appliance stands out. */
export function KeyScopes({ row }) {
  return html`<span class="inline-flex max-w-60 flex-wrap justify-end gap-1 sm:justify-start">
    ${row.scopes.map(
      (scope) =>
        html`<${Badge} key=${scope} tone=${scope.startsWith("admin:") ? "warn" : "plain"}>${scope}<//>`,
    )}
  </span>`;
}
