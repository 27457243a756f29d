import { html } from "preact";
import { Button } from "../../../components/Button.js";
import { t } from "../../../lib/i18n.js";
import { limitInWords } from "../../../lib/limits.js";
import { isQuota, limitOf, nameFault, reading, valueFault } from "./grammar.js";

const common = [
  "requests_per_month",
  "requests_per_day",
  "requests_per_hour",
  "requests_per_minute",
  "requests_per_second",
  "requests_burst",
  "concurrent_jobs",
  "max_items",
];

const patterns = ["rate", "burst", "quota", "concurrent", "max"];

/** What a name of a limit may be. */
function Grammar() {
  return html`<details class="rounded-lg bg-sunken px-3.5 py-2.5 text-sm">
    <summary class="font-medium">${t("admin.limit.grammar")}</summary>
    <dl class="mt-2 grid gap-2">
      ${patterns.map(
        (pattern) => html`<div key=${pattern}>
          <dt><code class="font-mono text-xs break-words">${t(`admin.limit.${pattern}.name`)}</code></dt>
          <dd class="text-muted">${t(`admin.limit.${pattern}.about`)}</dd>
        </div>`,
      )}
    </dl>
  </details>`;
}

/**
 * One limit. A name that is still being typed is not yet wrong: its fault turns red when it is left
 * or sent.
 */
function LimitRow({ row, rows, fault, index, change, remove }) {
  const id = `limit-${row.key}`;
  const wrongName = row.isLeft ? nameFault(row, rows) : null;
  const wrongValue = valueFault(row);
  const faults = [fault ?? wrongName, wrongValue].filter(Boolean);
  const words = nameFault(row, rows)
    ? t("admin.limit.typing")
    : limitInWords(row.name, limitOf(row));
  const note = faults.length > 0 ? faults.join(" ") : words;
  return html`<li class="grid gap-1.5 border-b border-line pb-3 last:border-b-0 last:pb-0">
    <div class="flex flex-wrap items-start gap-2">
      <input
        type="text"
        name=${`limit-name-${index}`}
        aria-label=${t("admin.limit.name", { n: index + 1 })}
        aria-invalid=${(fault ?? wrongName) ? "true" : undefined}
        aria-describedby=${`${id}-note`}
        value=${row.name}
        placeholder="requests_per_month"
        list="limit-names"
        autocomplete="off"
        autocapitalize="none"
        spellcheck=${false}
        onInput=${(event) => change({ name: event.target.value.trim() })}
        onBlur=${() => row.name && change({ isLeft: true })}
        class="input min-w-44 flex-1 font-mono text-sm"
      />
      <input
        type="text"
        inputmode="numeric"
        name=${`limit-value-${index}`}
        aria-label=${t("admin.limit.value", { n: index + 1 })}
        aria-invalid=${wrongValue ? "true" : undefined}
        aria-describedby=${`${id}-note`}
        value=${row.value}
        placeholder=${t("limit.unlimited")}
        autocomplete="off"
        onInput=${(event) => change({ value: event.target.value })}
        class="input w-32 flex-1 tabular-nums sm:flex-none"
      />
      <${Button} kind="quiet" icon="close" label=${t("admin.limit.remove", { name: row.name || String(index + 1) })} onClick=${remove} />
    </div>
    <p id=${`${id}-note`} class=${`text-sm ${faults.length > 0 ? "text-danger" : "text-muted"}`}>${note}</p>
    ${
      reading(row.name) &&
      isQuota(row.name) &&
      html`<label class="inline-flex items-center gap-2 text-sm">
        <input
          type="checkbox"
          checked=${row.overage}
          onChange=${(event) => change({ overage: event.target.checked })}
          class="size-4 accent-accent"
        />${t("admin.limit.overage")}
      </label>`
    }
  </li>`;
}

/**
 * The limits of a plan, each told in words as it is typed.
 * @param {{rows: object[], faults: Record<string, string>, onRows: (rows: object[]) => void}} props
 *   `faults`: what the server said, by the name of a limit
 */
export function LimitRows({ rows, faults, onRows }) {
  const change = (index, part) =>
    onRows(rows.map((row, at) => (at === index ? { ...row, ...part } : row)));
  return html`<fieldset class="grid gap-3">
    <legend class="mb-1 text-sm font-medium">${t("admin.plan.limits")}</legend>
    <${Grammar} />
    <datalist id="limit-names">
      ${common.map((name) => html`<option key=${name} value=${name}></option>`)}
    </datalist>
    <ul class="grid gap-3">
      ${rows.map(
        (row, index) => html`<${LimitRow}
          key=${row.key}
          row=${row}
          rows=${rows}
          index=${index}
          fault=${faults[row.name]}
          change=${(part) => change(index, part)}
          remove=${() => onRows(rows.filter((_, at) => at !== index))}
        />`,
      )}
    </ul>
    <div>
      <${Button} small icon="plus" onClick=${() => onRows([...rows, emptyRow()])}>${t("admin.limit.add")}<//>
    </div>
  </fieldset>`;
}

let lastKey = 0;

/** Rows keep their fields when one before them is removed: each has a key of its own. */
export function withKey(row) {
  lastKey += 1;
  return { ...row, key: lastKey, isLeft: false };
}

export function emptyRow() {
  return withKey({ name: "", value: "", overage: false });
}
