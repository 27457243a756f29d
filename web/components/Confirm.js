import { html } from "preact";
import { t } from "../lib/i18n.js";
import { question } from "../lib/notices.js";
import { useStore } from "../lib/store.js";
import { Button } from "./Button.js";
import { Actions, Modal } from "./Modal.js";

/** The question that `confirm()` asks; stands once, in the shell. */
export function Confirm() {
  const asked = useStore(question);
  if (!asked) return null;
  return html`<${Modal} title=${asked.title} onClose=${() => asked.answer(false)}>
    ${asked.body && html`<p class="text-muted">${asked.body}</p>`}
    <${Actions}>
      <${Button} onClick=${() => asked.answer(false)}>${t("action.cancel")}<//>
      <${Button} kind=${asked.danger ? "dangerMain" : "main"} onClick=${() => asked.answer(true)}>
        ${asked.action}
      <//>
    <//>
  <//>`;
}
