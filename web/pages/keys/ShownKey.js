import { html } from "preact";
import { Alert } from "../../components/Alert.js";
import { Button } from "../../components/Button.js";
import { CopyField } from "../../components/CopyField.js";
import { Actions, Modal } from "../../components/Modal.js";
import { t } from "../../lib/i18n.js";

/** A key, the one time that it is shown. @param {{made: object, onClose: () => void}} props */
export function ShownKey({ made, onClose }) {
  const command = `curl ${location.origin}/api/v1/gate -H "X-API-Key: ${made.key}"`;
  return html`<${Modal} title=${t("keys.madeTitle", { name: made.name })} onClose=${onClose} fixed wide>
    <div class="grid gap-4">
      <${Alert} tone="warn">${t("keys.once")}<//>
      <${CopyField} id="made-key" label=${t("keys.key")} value=${made.key} />
      ${
        made.scopes.includes("gate") &&
        html`<${CopyField} id="made-command" label=${t("keys.try")} value=${command} />`
      }
    </div>
    <${Actions}>
      <${Button} kind="main" onClick=${onClose}>${t("keys.kept")}<//>
    <//>
  <//>`;
}
