import { html } from "preact";
import { Modal } from "../../../components/Modal.js";
import { Facts } from "../../../components/Stat.js";
import { dateTime } from "../../../lib/format.js";
import { t } from "../../../lib/i18n.js";
import { metaLines, Party } from "./columns.js";

/** Everything that is kept of one event. @param {{row: object, onClose: () => void}} props */
export function Event({ row, onClose }) {
  const code = (text) => html`<code class="font-mono text-xs break-all">${text ?? "–"}</code>`;
  return html`<${Modal} title=${row.action} onClose=${onClose} wide>
    <${Facts}
      of=${[
        { label: t("admin.audit.at"), value: dateTime(row.at) },
        { label: t("admin.audit.actor"), value: html`<${Party} of=${row.actor} />` },
        { label: t("admin.audit.target"), value: html`<${Party} of=${row.target} />` },
        ...metaLines(row.meta).map(({ name, text }) => ({ label: name, value: code(text) })),
        { label: t("sessions.address"), value: code(row.ip) },
        { label: t("admin.audit.request"), value: code(row.request_id) },
        { label: t("admin.audit.row"), value: code(String(row.sequence)) },
        { label: t("admin.user.id"), value: code(row.id) },
      ]}
    />
  <//>`;
}
