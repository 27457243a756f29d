import { html } from "preact";
import { t } from "../lib/i18n.js";
import { Alert } from "./Alert.js";
import { Button } from "./Button.js";

/**
 * A form of `useForm`: its fields, what the server said of the whole, its button.
 * @param {{of: ReturnType<typeof import("../lib/form.js").useForm>, submit: string, kind?: string,
 *   onCancel?: () => void, full?: boolean}} props `full` stretches the button
 */
export function Form({ of, submit, kind = "main", onCancel, full, children }) {
  return html`<form ...${of.form} class="grid gap-4">
    ${of.failure && html`<${Alert}>${of.failure}<//>`} ${children}
    <div class=${full ? "mt-1 grid" : "mt-1 flex flex-wrap justify-end gap-2"}>
      ${onCancel && html`<${Button} onClick=${onCancel}>${t("action.cancel")}<//>`}
      <${Button} type="submit" kind=${kind} busy=${of.busy}>${submit}<//>
    </div>
  </form>`;
}

function Frame({ id, label, hint, error, optional, children }) {
  return html`<div class="grid content-start gap-1.5">
    <label for=${id} class="text-sm font-medium">
      ${label}${optional && html` <span class="font-normal text-muted">${t("form.optional")}</span>`}
    </label>
    ${children}
    ${hint && !error && html`<p id=${`${id}-hint`} class="text-sm text-muted">${hint}</p>`}
    ${error && html`<p id=${`${id}-error`} class="text-sm text-danger">${error}</p>`}
  </div>`;
}

function described(id, hint, error) {
  if (error) return `${id}-error`;
  return hint ? `${id}-hint` : undefined;
}

/**
 * One line of text. Spread `form.field("name")` into it.
 * @param {{name: string, value: string, onValue: (value: string) => void, error?: string,
 *   label: string, hint?: string, optional?: boolean, type?: string, id?: string}} props
 */
export function Field({ name, value, onValue, error, label, hint, optional, id = name, ...rest }) {
  return html`<${Frame} id=${id} label=${label} hint=${hint} error=${error} optional=${optional}>
    <input
      type="text"
      ...${rest}
      id=${id}
      name=${name}
      value=${value}
      onInput=${(event) => onValue(event.target.value)}
      required=${!optional}
      aria-invalid=${error ? "true" : undefined}
      aria-describedby=${described(id, hint, error)}
      class=${`input ${rest.class ?? ""}`}
    />
  <//>`;
}

/** @param {{rows?: number}} props and those of Field */
export function TextArea({
  name,
  value,
  onValue,
  error,
  label,
  hint,
  optional,
  id = name,
  ...rest
}) {
  return html`<${Frame} id=${id} label=${label} hint=${hint} error=${error} optional=${optional}>
    <textarea
      rows="3"
      ...${rest}
      id=${id}
      name=${name}
      value=${value}
      onInput=${(event) => onValue(event.target.value)}
      aria-invalid=${error ? "true" : undefined}
      aria-describedby=${described(id, hint, error)}
      class=${`input py-2 ${rest.class ?? ""}`}
    ></textarea>
  <//>`;
}

/** @param {{options: {value: string, label: string}[]}} props and those of Field */
export function Select({ name, value, onValue, error, label, hint, options, id = name, ...rest }) {
  return html`<${Frame} id=${id} label=${label} hint=${hint} error=${error}>
    <select
      ...${rest}
      id=${id}
      name=${name}
      onChange=${(event) => onValue(event.target.value)}
      aria-invalid=${error ? "true" : undefined}
      aria-describedby=${described(id, hint, error)}
      class="input"
    >
      ${options.map(
        (option) =>
          html`<option key=${option.value} value=${option.value} selected=${option.value === value}>
            ${option.label}
          </option>`,
      )}
    </select>
  <//>`;
}

/** @param {{name: string, value: boolean, onValue: (value: boolean) => void, label: string, hint?: string}} props */
export function Checkbox({ name, value, onValue, label, hint, id = name, ...rest }) {
  return html`<div class="flex items-start gap-2.5">
    <input
      ...${rest}
      type="checkbox"
      id=${id}
      name=${name}
      checked=${value}
      onChange=${(event) => onValue(event.target.checked)}
      aria-describedby=${hint ? `${id}-hint` : undefined}
      class="mt-1 size-4 shrink-0 accent-accent"
    />
    <div class="min-w-0">
      <label for=${id} class="text-sm font-medium">${label}</label>
      ${hint && html`<p id=${`${id}-hint`} class="text-sm text-muted">${hint}</p>`}
    </div>
  </div>`;
}
