import { html, useState } from "preact";
import { Card } from "../../components/Card.js";
import { CSVButton } from "../../components/CSVButton.js";
import { FilterDay, Filters, FilterText } from "../../components/Filters.js";
import { Page } from "../../components/Page.js";
import { EmptyState } from "../../components/States.js";
import { ListTable } from "../../components/Table.js";
import { api } from "../../lib/api.js";
import { t } from "../../lib/i18n.js";
import { useList } from "../../lib/resource.js";
import { usePlace } from "../../lib/router.js";
import { Chain } from "./audit/Chain.js";
import { auditColumns } from "./audit/columns.js";
import { Event } from "./audit/Event.js";
import { OfPerson } from "./OfPerson.js";
import { endOf, startOf } from "./subscriptions/days.js";

const filters = ["actor", "action", "target", "from", "to"];

/** What there is to look for; any other word can be typed. */
const actions = [
  "admin.set_up",
  "api_key.created",
  "api_key.revoked",
  "api_key.rotated",
  "backup.downloaded",
  "backup.made",
  "job.retried",
  "plan.archived",
  "plan.created",
  "plan.updated",
  "session.ended",
  "session.ended_all",
  "session.sign_in_failed",
  "session.signed_in",
  "session.token_reused",
  "signing_key.rotated",
  "subscription.canceled",
  "subscription.changed",
  "subscription.chosen",
  "subscription.given",
  "user.deleted",
  "user.email_changed",
  "user.invited",
  "user.password_changed",
  "user.password_reset",
  "user.registered",
  "user.updated",
];

/** A day is all of it, in the reader's zone; the list ends before the moment that it is given. */
function asQuery(query) {
  return {
    actor: query.get("actor"),
    action: query.get("action"),
    target: query.get("target"),
    from: startOf(query.get("from")),
    to: endOf(query.get("to")),
  };
}

/** Who did what to whom and when; nobody can change it unseen. */
export function Audit() {
  const { query } = usePlace();
  const [shown, setShown] = useState(null);
  const asked = asQuery(query);
  const list = useList("/admin/audit-logs", asked);
  const save = () => api.download("/admin/audit-logs", { query: { ...asked, format: "csv" } });
  return html`<${Page}
    title=${t("admin.audit.title")}
    about=${t("admin.audit.about")}
    actions=${html`<${CSVButton} save=${save} />`}
  >
    <${Chain} />
    <${Card} flush>
      <${Filters} names=${filters}>
        <${FilterText} name="action" label=${t("admin.audit.action")} list=${actions} />
        <${OfPerson} name="actor" label=${t("admin.audit.actor")} prefix="user:" />
        <${OfPerson} name="target" label=${t("admin.audit.target")} prefix="user:" />
        <div class="flex flex-wrap gap-2"><${FilterDay} name="from" label=${t("admin.from")} /><${FilterDay} name="to" label=${t("admin.to")} /></div>
      <//>
      <${ListTable}
        list=${list}
        label=${t("admin.audit.title")}
        columns=${auditColumns(setShown)}
        empty=${html`<${EmptyState} icon="list" title=${t("admin.audit.none")} text=${t("admin.noneText")} />`}
      />
    <//>
    ${shown && html`<${Event} row=${shown} onClose=${() => setShown(null)} />`}
  <//>`;
}
