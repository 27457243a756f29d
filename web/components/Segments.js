import { html } from "preact";

/**
 * One of a few, as buttons in a row.
 * @param {{label: string, name: string, value: string, options: {value: string, label: string}[],
 *   onValue: (value: string) => void}} props
 */
export function Segments({ label, name, value, options, onValue }) {
  return html`<div
    role="radiogroup"
    aria-label=${label}
    class="inline-flex rounded-lg border border-line bg-sunken p-0.5"
  >
    ${options.map(
      (option) => html`<label
        key=${option.value}
        class="cursor-pointer rounded-md px-3 py-1 text-sm font-medium text-muted has-checked:bg-surface has-checked:text-ink has-checked:shadow-card has-focus-visible:outline-2 has-focus-visible:outline-accent"
      >
        <input
          type="radio"
          name=${name}
          class="sr-only"
          checked=${option.value === value}
          onChange=${() => onValue(option.value)}
        />${option.label}
      </label>`,
    )}
  </div>`;
}
