import { html } from "preact";
import { Page } from "../components/Page.js";
import { EmptyState } from "../components/States.js";
import { t } from "../lib/i18n.js";

export function NotFound() {
  return html`<${Page} title=${t("notFound.title")}>
    <${EmptyState}
      icon="search"
      title=${t("notFound.text")}
      action=${html`<a class="link" href="/">${t("notFound.home")}</a>`}
    />
  <//>`;
}
