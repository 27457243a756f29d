import { html } from "preact";
import { Card } from "../components/Card.js";
import { Page } from "../components/Page.js";
import { EmptyState } from "../components/States.js";
import { t } from "../lib/i18n.js";

/** In place of what an admin may not use yet, where admins need a second step. */
export function EnrolFirst() {
  return html`<${Page} title=${t("enrol.title")}>
    <${Card}>
      <${EmptyState}
        icon="shield"
        title=${t("enrol.ask")}
        text=${t("enrol.text")}
        action=${html`<a class="button button-main" href="/account">${t("enrol.go")}</a>`}
      />
    <//>
  <//>`;
}
