import { html, useEffect, useRef, useState } from "preact";
import { t } from "../lib/i18n.js";
import { setQuery, usePlace } from "../lib/router.js";
import { Button } from "./Button.js";
import { Icon } from "./Icon.js";

/*
 * What narrows a list. Every choice stands in the address, so that a list can be shared, kept as a
 * bookmark and walked back to; the page reads it from there with `usePlace`.
 */

/** After so long without a key pressed, what was typed is searched for. */
const typingMilliseconds = 250;

/** The row of filters at the head of a list's card; with a way back to all of it. @param {{names: string[]}} props */
export function Filters({ names, children }) {
  const { query } = usePlace();
  const isNarrowed = names.some((name) => query.has(name));
  const clear = () => setQuery(Object.fromEntries(names.map((name) => [name, null])));
  return html`<div class="flex flex-wrap items-center gap-2 border-b border-line px-5 py-3">
    ${children}
    ${isNarrowed && html`<${Button} kind="quiet" small icon="close" onClick=${clear}>${t("filter.clear")}<//>`}
  </div>`;
}

/**
 * Text that is searched for while it is typed.
 * @param {{name: string, label: string, list?: string[]}} props `list`: what is often asked for
 */
export function FilterText({ name, label, list }) {
  const { query } = usePlace();
  const asked = query.get(name) ?? "";
  const [typed, setTyped] = useState(asked);
  const sent = useRef(asked);
  useEffect(() => {
    // Cleared or changed from elsewhere, and not by the keys that are being pressed here.
    if (asked !== sent.current) setTyped(asked);
    sent.current = asked;
  }, [asked]);
  useEffect(() => {
    if (typed.trim() === sent.current) return undefined;
    const timer = setTimeout(() => {
      sent.current = typed.trim();
      setQuery({ [name]: typed.trim() });
    }, typingMilliseconds);
    return () => clearTimeout(timer);
  }, [typed]);
  return html`<div class="relative min-w-40 flex-1 basis-56">
    <span class="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-muted">
      <${Icon} name="search" size=${16} />
    </span>
    <input
      type="search"
      name=${name}
      aria-label=${label}
      placeholder=${label}
      value=${typed}
      list=${list && `${name}-list`}
      onInput=${(event) => setTyped(event.target.value)}
      autocomplete="off"
      spellcheck=${false}
      class="input pl-8"
    />
    ${
      list &&
      html`<datalist id=${`${name}-list`}>
        ${list.map((value) => html`<option key=${value} value=${value}></option>`)}
      </datalist>`
    }
  </div>`;
}

/**
 * One of a few, or any.
 * @param {{name: string, label: string, any?: string, options: {value: string, label: string}[]}} props
 *   `any` names the choice of all; without it there is none, and the first option is the default
 */
export function FilterSelect({ name, label, any, options }) {
  const { query } = usePlace();
  const value = query.get(name) ?? "";
  const all = any === undefined ? options : [{ value: "", label: any }, ...options];
  const fallback = all[0]?.value;
  return html`<select
    name=${name}
    aria-label=${label}
    class="input w-auto max-w-full"
    onChange=${(event) => setQuery({ [name]: event.target.value === fallback ? null : event.target.value })}
  >
    ${all.map(
      (option) =>
        html`<option key=${option.value} value=${option.value} selected=${option.value === value}>
          ${option.label}
        </option>`,
    )}
  </select>`;
}

/** A day of the reader's calendar. @param {{name: string, label: string}} props */
export function FilterDay({ name, label }) {
  const { query } = usePlace();
  return html`<label class="flex items-center gap-2 text-sm text-muted">
    ${label}
    <input
      type="date"
      name=${name}
      value=${query.get(name) ?? ""}
      onChange=${(event) => setQuery({ [name]: event.target.value })}
      class="input w-auto"
    />
  </label>`;
}
