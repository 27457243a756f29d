import { html } from "preact";
import { Icon } from "./Icon.js";

const kinds = {
  plain: "button",
  main: "button button-main",
  danger: "button button-danger",
  dangerMain: "button button-danger-main",
  quiet: "button button-quiet",
};

/**
 * @param {{kind?: keyof typeof kinds, icon?: string, small?: boolean, busy?: boolean, type?: string,
 *   label?: string}} props `label` names a button that shows only its icon
 */
export function Button({ kind = "plain", icon, small, busy, label, children, ...rest }) {
  const size = small ? " button-small" : "";
  return html`<button
    type="button"
    ...${rest}
    class=${`${kinds[kind]}${size} ${rest.class ?? ""}`}
    aria-label=${label}
    title=${label}
    aria-busy=${busy ? "true" : undefined}
    disabled=${busy || rest.disabled}
  >
    ${icon && html`<${Icon} name=${icon} size=${small ? 16 : 18} />`}${children}
  </button>`;
}
