import { html } from "preact";
import { chooseLanguage, language, languages, t } from "../lib/i18n.js";
import { useStore } from "../lib/store.js";
import { chooseTheme, theme, themes } from "../lib/theme.js";
import { Icon } from "./Icon.js";

const icons = { system: "session", light: "sun", dark: "moon" };

/** The switches of language and of light and dark. */
export function Preferences() {
  const tag = useStore(language);
  const choice = useStore(theme);
  return html`<div class="flex flex-wrap items-center gap-2">
    <div
      role="radiogroup"
      aria-label=${t("theme.label")}
      class="inline-flex rounded-lg border border-line bg-surface p-0.5"
    >
      ${themes.map(
        (name) => html`<label
          key=${name}
          title=${t(`theme.${name}`)}
          class="cursor-pointer rounded-md p-1.5 text-muted has-checked:bg-accent-soft has-checked:text-accent has-focus-visible:outline-2 has-focus-visible:outline-accent"
        >
          <input
            type="radio"
            name="theme"
            class="sr-only"
            checked=${choice === name}
            onChange=${() => chooseTheme(name)}
          />
          <${Icon} name=${icons[name]} size=${16} /><span class="sr-only">${t(`theme.${name}`)}</span>
        </label>`,
      )}
    </div>
    <select
      aria-label=${t("language.label")}
      class="rounded-lg border border-line bg-surface px-2 py-1.5 text-sm text-muted"
      onChange=${(event) => chooseLanguage(event.target.value)}
    >
      ${Object.entries(languages).map(
        ([key, { name }]) =>
          html`<option key=${key} value=${key} lang=${key} selected=${key === tag}>${name}</option>`,
      )}
    </select>
  </div>`;
}
