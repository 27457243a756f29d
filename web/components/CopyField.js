import { html, useRef, useState } from "preact";
import { t } from "../lib/i18n.js";
import { Button } from "./Button.js";

/**
 * A value to take away, with a button that copies it.
 * @param {{label: string, value: string, id: string}} props
 */
export function CopyField({ label, value, id }) {
  const input = useRef(null);
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    input.current.select();
    try {
      await navigator.clipboard.writeText(value);
    } catch {
      // Not every page may write to the clipboard; the text is selected for Ctrl+C.
      document.execCommand?.("copy");
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<div class="grid gap-1.5">
    <label for=${id} class="text-sm font-medium">${label}</label>
    <div class="flex gap-2">
      <input
        id=${id}
        ref=${input}
        readonly
        value=${value}
        onFocus=${(event) => event.target.select()}
        class="input min-w-0 flex-1 bg-sunken font-mono text-sm"
        autocomplete="off"
        spellcheck=${false}
      />
      <${Button} icon=${copied ? "check" : "copy"} onClick=${copy}>
        <span aria-live="polite">${copied ? t("action.copied") : t("action.copy")}</span>
      <//>
    </div>
  </div>`;
}
