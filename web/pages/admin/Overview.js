import { html } from "preact";
import { Card } from "../../components/Card.js";
import { Page } from "../../components/Page.js";
import { Loaded } from "../../components/States.js";
import { api } from "../../lib/api.js";
import { number } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";
import { useResource } from "../../lib/resource.js";

export function Overview() {
  const stats = useResource((signal) => api.get("/admin/stats", { signal }), []);
  return html`<${Page} title=${t("admin.overview.title")}>
    <${Card}>
      <${Loaded} of=${stats}>
        ${(data) => html`<p>${number(data.users?.total ?? 0)}</p>`}
      <//>
    <//>
  <//>`;
}
