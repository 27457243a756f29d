import { html } from "preact";
import { t } from "../lib/i18n.js";
import { describe, Problem } from "../lib/problem.js";
import { Button } from "./Button.js";
import { Icon } from "./Icon.js";

/** Something is on its way: grey lines where it will be. */
export function Skeleton({ lines = 3 }) {
  return html`<div class="grid gap-3 py-1" role="status" aria-label=${t("state.loading")}>
    ${Array.from(
      { length: lines },
      (_, index) =>
        html`<div key=${index} class=${`skeleton h-4 ${index % 3 === 2 ? "w-2/3" : "w-full"}`}></div>`,
    )}
  </div>`;
}

/**
 * There is nothing yet, and what to do about it.
 * @param {{icon?: string, title: string, text?: string, action?: unknown}} props
 */
export function EmptyState({ icon = "list", title, text, action }) {
  return html`<div class="flex flex-col items-center px-6 py-8 text-center">
    <span class="mb-3 rounded-full bg-sunken p-3 text-muted"><${Icon} name=${icon} size=${22} /></span>
    <p class="font-medium">${title}</p>
    ${text && html`<p class="mt-1 max-w-sm text-sm text-muted">${text}</p>`}
    ${action && html`<div class="mt-4">${action}</div>`}
  </div>`;
}

/** It could not be loaded: what happened, and another try. */
export function ErrorState({ error, retry }) {
  return html`<div class="flex flex-col items-center px-6 py-8 text-center" role="alert">
    <span class="mb-3 rounded-full bg-danger-soft p-3 text-danger"><${Icon} name="warn" size=${22} /></span>
    <p class="font-medium">${t("state.failed")}</p>
    <p class="mt-1 max-w-sm text-sm text-muted">${describe(error)}</p>
    ${
      error instanceof Problem &&
      error.requestId &&
      error.status >= 500 &&
      html`<p class="mt-1 font-mono text-xs text-muted">${error.requestId}</p>`
    }
    ${
      retry &&
      html`<${Button} class="mt-4" icon="refresh" onClick=${retry}>${t("action.retry")}<//>`
    }
  </div>`;
}

/**
 * What `useResource` loaded, or its state in place of it.
 * @param {{of: {data: unknown, error: unknown, reload: () => void}, lines?: number,
 *   children: (data: any) => unknown}} props
 */
export function Loaded({ of, lines, children }) {
  if (of.data !== null) return children(of.data);
  if (of.error) return html`<${ErrorState} error=${of.error} retry=${of.reload} />`;
  return html`<${Skeleton} lines=${lines} />`;
}
