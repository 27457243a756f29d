import { html } from "preact";
import { t } from "../lib/i18n.js";
import { dismiss, toasts } from "../lib/notices.js";
import { useStore } from "../lib/store.js";
import { Icon } from "./Icon.js";

/** What `toast` says; stands once, in the shell. Read out when it appears. */
export function Toasts() {
  const list = useStore(toasts);
  return html`<div
    role="status"
    aria-live="polite"
    class="pointer-events-none fixed inset-x-4 bottom-4 z-50 grid gap-2 sm:left-auto sm:w-88"
  >
    ${list.map(
      (entry) => html`<div
        key=${entry.id}
        class="pointer-events-auto flex motion-safe:animate-[rise_0.18s_ease-out] items-start gap-3 rounded-lg border border-line bg-surface px-4 py-3 text-sm shadow-float"
      >
        <span class=${`mt-px ${entry.kind === "error" ? "text-danger" : "text-ok"}`}
          ><${Icon} name=${entry.kind === "error" ? "warn" : "check"}
        /></span>
        <span class="min-w-0 flex-1 break-words">${entry.text}</span>
        <button
          type="button"
          aria-label=${t("action.close")}
          class="-m-1 rounded p-1 text-muted hover:text-ink"
          onClick=${() => dismiss(entry.id)}
        >
          <${Icon} name="close" size=${16} />
        </button>
      </div>`,
    )}
  </div>`;
}
