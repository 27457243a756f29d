import { html } from "preact";
import { Form, Select } from "../../components/Form.js";
import { Modal } from "../../components/Modal.js";
import { api } from "../../lib/api.js";
import { useForm } from "../../lib/form.js";
import { t } from "../../lib/i18n.js";

const overlaps = ["0", "3600", "86400", "604800"];

/** @param {{row: object, onClose: () => void, onMade: (key: object) => void}} props */
export function RotateKey({ row, onClose, onMade }) {
  const form = useForm({
    initial: { overlap_seconds: "86400" },
    async submit({ overlap_seconds }) {
      const body = { overlap_seconds: Number(overlap_seconds) };
      onMade(await api.post(`/api-keys/${row.id}/rotate`, body));
    },
  });
  return html`<${Modal} title=${t("keys.rotateTitle", { name: row.name })} onClose=${onClose}>
    <p class="mb-4 text-sm text-muted">${t("keys.rotateBody")}</p>
    <${Form} of=${form} submit=${t("keys.rotate")} onCancel=${onClose}>
      <${Select}
        ...${form.field("overlap_seconds")}
        label=${t("keys.overlap")}
        options=${overlaps.map((value) => ({ value, label: t(`keys.overlap.${value}`) }))}
      />
    <//>
  <//>`;
}
