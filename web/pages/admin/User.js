import { html, useState } from "preact";
import { Badge } from "../../components/Badge.js";
import { Button } from "../../components/Button.js";
import { Card } from "../../components/Card.js";
import { CopyField } from "../../components/CopyField.js";
import { Limits } from "../../components/Limits.js";
import { Page } from "../../components/Page.js";
import { Facts } from "../../components/Stat.js";
import { EmptyState, Loaded } from "../../components/States.js";
import { ListTable, Table } from "../../components/Table.js";
import { api } from "../../lib/api.js";
import { ago, date, dateTime, deviceName } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";
import { attempt, confirm } from "../../lib/notices.js";
import { useList, useResource } from "../../lib/resource.js";
import { NotFound } from "../NotFound.js";
import { auditColumns } from "./audit/columns.js";
import { KeyList } from "./Keys.js";
import { useMayChange } from "./Person.js";
import { SubscriptionCard } from "./subscriptions/SubscriptionCard.js";
import { StateBadge } from "./Users.js";
import { EditUser } from "./users/EditUser.js";
import { RoleBadge } from "./users/Role.js";
import { useTurn } from "./users/turn.js";

const isId = (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);

/** What an admin does to an account; each names it and says what follows. */
function useSteps(user, reload) {
  const { id, email } = user;
  const ask = async (step, work, danger) => {
    const question = {
      title: t(`admin.user.${step}Title`, { email }),
      body: t(`admin.user.${step}Body`),
      action: t(`admin.user.${step}`),
      danger,
    };
    if (!(await confirm(question))) return;
    if (await attempt(work, t(`admin.user.${step}Done`, { email }))) reload();
  };
  const patch = (body) => () => api.patch(`/admin/users/${id}`, body);
  return {
    deactivate: () => ask("deactivate", patch({ is_active: false }), true),
    activate: () => ask("activate", patch({ is_active: true }), false),
    revoke: () => ask("revoke", () => api.post(`/admin/users/${id}/revoke-sessions`), true),
    reset: () => ask("reset", () => api.post(`/admin/users/${id}/reset-password`), false),
  };
}

function Steps({ user, reload, edit }) {
  const steps = useSteps(user, reload);
  return html`<${Button} icon="pencil" onClick=${edit}>${t("admin.edit")}<//>
    <${Button} icon="mail" onClick=${steps.reset}>${t("admin.user.reset")}<//>
    <${Button} kind="danger" icon="leave" onClick=${steps.revoke}>${t("admin.user.revoke")}<//>
    ${
      user.is_active
        ? html`<${Button} kind="danger" onClick=${steps.deactivate}>${t("admin.user.deactivate")}<//>`
        : html`<${Button} kind="main" onClick=${steps.activate}>${t("admin.user.activate")}<//>`
    }`;
}

function Profile({ user }) {
  return html`<${Card} title=${t("profile.title")}>
    <div class="grid gap-4">
      <${Facts}
        of=${[
          { label: t("field.name"), value: user.name ?? "–" },
          { label: t("admin.user.role"), value: html`<${RoleBadge} role=${user.role} />` },
          { label: t("keys.state"), value: html`<${StateBadge} user=${user} />` },
          {
            label: t("totp.title"),
            value: html`<${Badge} tone=${user.totp_enabled ? "ok" : "plain"}>
              ${user.totp_enabled ? t("totp.isOnBadge") : t("totp.isOffBadge")}
            <//>`,
          },
          { label: t("admin.user.since"), value: dateTime(user.created_at) },
          { label: t("admin.user.changed"), value: dateTime(user.updated_at) },
        ]}
      />
      <${CopyField} id="user-id" label=${t("admin.user.id")} value=${user.id} />
    </div>
  <//>`;
}

function UsageCard({ id, turn }) {
  const load = (signal) => api.get(`/admin/users/${id}/usage`, { signal });
  const report = useResource(load, [id, turn]);
  const more = html`<a class="button button-small" href=${`/admin/usage?user_id=${id}`}>${t("usage.details")}</a>`;
  return html`<${Card} title=${t("admin.user.usage")} actions=${more}>
    <${Loaded} of=${report} lines=${6}>
      ${(data) =>
        data.plan || data.metrics.length > 0
          ? html`<${Limits} report=${data} />`
          : html`<${EmptyState} icon="plan" title=${t("admin.user.noPlan")} text=${t("admin.user.noPlanText")} />`}
    <//>
  <//>`;
}

function SessionsCard({ id, turn }) {
  const load = (signal) => api.get(`/admin/users/${id}/sessions`, { signal });
  const list = useResource(load, [id, turn]);
  const columns = [
    { key: "device", label: t("sessions.device"), cell: (row) => deviceName(row.user_agent) },
    { key: "ip", label: t("sessions.address"), cell: (row) => row.ip ?? "–" },
    { key: "created_at", label: t("sessions.began"), cell: (row) => date(row.created_at) },
    {
      key: "last_used_at",
      label: t("sessions.lastUsed"),
      cell: (row) =>
        html`<time title=${dateTime(row.last_used_at)}>${ago(row.last_used_at)}</time>`,
    },
  ];
  return html`<${Card} title=${t("sessions.title")} flush>
    <${Loaded} of=${list} lines=${4}>
      ${(data) => html`<${Table}
        label=${t("sessions.title")}
        columns=${columns}
        rows=${data.items}
        empty=${html`<${EmptyState} icon="session" title=${t("admin.user.noSessions")} />`}
      />`}
    <//>
  <//>`;
}

/** How many of the newest events stand on the page. */
const eventsShown = 8;

function EventsCard({ id, turn }) {
  const list = useList("/admin/audit-logs", { target: `user:${id}`, limit: eventsShown });
  useTurn(list, turn);
  const all = html`<a class="button button-small" href=${`/admin/audit?target=user:${id}`}>${t("admin.user.allEvents")}</a>`;
  return html`<${Card} title=${t("admin.user.events")} actions=${all} flush>
    <${ListTable}
      list=${{ ...list, more: null }}
      label=${t("admin.user.events")}
      columns=${auditColumns().filter(({ key }) => key !== "target")}
      empty=${html`<${EmptyState} icon="list" title=${t("admin.audit.none")} />`}
    />
  <//>`;
}

function Details({ user, reload, turn }) {
  const mayChange = useMayChange();
  const [edited, setEdited] = useState(false);
  const saved = () => {
    setEdited(false);
    reload();
  };
  return html`<${Page}
    title=${user.email}
    about=${user.name}
    actions=${mayChange && html`<${Steps} user=${user} reload=${reload} edit=${() => setEdited(true)} />`}
  >
    <div class="grid grid-cols-[minmax(0,1fr)] gap-6 lg:grid-cols-2">
      <${Profile} user=${user} />
      <${SubscriptionCard} user=${user} turn=${turn} onChanged=${reload} />
    </div>
    <${UsageCard} id=${user.id} turn=${turn} />
    <${SessionsCard} id=${user.id} turn=${turn} />
    <${Card} title=${t("keys.title")} flush>
      <${KeyList} user=${user.id} turn=${turn} />
    <//>
    <${EventsCard} id=${user.id} turn=${turn} />
    ${edited && html`<${EditUser} user=${user} onClose=${() => setEdited(false)} onSaved=${saved} />`}
  <//>`;
}

/** One account: who it is, its plan, usage, sessions, keys and history, and what can be done. */
export function User({ params }) {
  return isId(params.id)
    ? html`<${Known} key=${params.id} id=${params.id} />`
    : html`<${NotFound} />`;
}

function Known({ id }) {
  const [turn, setTurn] = useState(0);
  const user = useResource((signal) => api.get(`/admin/users/${id}`, { signal }), [id, turn]);
  const reload = () => setTurn((before) => before + 1);
  if (user.data) return html`<${Details} user=${user.data} turn=${turn} reload=${reload} />`;
  if (user.error?.status === 404) return html`<${NotFound} />`;
  return html`<${Page} title=${t("admin.user.title")}><${Loaded} of=${user} lines=${8} /><//>`;
}
