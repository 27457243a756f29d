import { html } from "preact";
import { Button } from "../../components/Button.js";
import { Card } from "../../components/Card.js";
import { CSVButton } from "../../components/CSVButton.js";
import { FilterSelect, Filters } from "../../components/Filters.js";
import { isLive, KeyName, KeyScopes, KeyState } from "../../components/KeyCells.js";
import { Page } from "../../components/Page.js";
import { EmptyState } from "../../components/States.js";
import { ListTable } from "../../components/Table.js";
import { api } from "../../lib/api.js";
import { ago, date, dateTime } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";
import { attempt, confirm } from "../../lib/notices.js";
import { useList } from "../../lib/resource.js";
import { usePlace } from "../../lib/router.js";
import { OfPerson } from "./OfPerson.js";
import { Person, useMayChange } from "./Person.js";
import { useTurn } from "./users/turn.js";

function columns({ showsOwner, mayChange, revoke }) {
  return [
    { key: "name", label: t("keys.name"), cell: (row) => html`<${KeyName} row=${row} />` },
    showsOwner && {
      key: "user_id",
      label: t("admin.keys.owner"),
      cell: (row) => html`<${Person} id=${row.user_id} narrow />`,
    },
    { key: "scopes", label: t("keys.scopes"), cell: (row) => html`<${KeyScopes} row=${row} />` },
    { key: "state", label: t("keys.state"), cell: (row) => html`<${KeyState} row=${row} />` },
    {
      key: "last_used_at",
      label: t("keys.lastUsed"),
      cell: (row) =>
        html`<time title=${dateTime(row.last_used_at)}>${ago(row.last_used_at)}</time>`,
    },
    { key: "created_at", label: t("admin.made"), cell: (row) => date(row.created_at) },
    mayChange && {
      key: "actions",
      label: t("table.actions"),
      hidden: true,
      end: true,
      cell: (row) =>
        isLive(row) &&
        html`<${Button} small kind="danger" onClick=${() => revoke(row)}>${t("keys.revoke")}<//>`,
    },
  ].filter(Boolean);
}

/**
 * Keys in a table, of somebody or of everybody.
 * @param {{user?: string | null, active?: string | null, showsOwner?: boolean, turn?: number}} props
 */
export function KeyList({ user, active, showsOwner, turn = 0 }) {
  const mayChange = useMayChange();
  const list = useList("/admin/api-keys", { user_id: user, active });
  useTurn(list, turn);
  const revoke = async (row) => {
    const question = {
      title: t("keys.revokeTitle", { name: row.name }),
      body: t("admin.keys.revokeBody", { key: `${row.prefix}…${row.last_four}` }),
      action: t("keys.revoke"),
      danger: true,
    };
    if (!(await confirm(question))) return;
    const done = t("keys.revokedDone", { name: row.name });
    if (await attempt(() => api.delete(`/admin/api-keys/${row.id}`), done)) list.reload();
  };
  return html`<${ListTable}
    list=${list}
    label=${t("keys.title")}
    columns=${columns({ showsOwner, mayChange, revoke })}
    empty=${html`<${EmptyState} icon="key" title=${t("admin.keys.none")} />`}
  />`;
}

/** The keys of everybody. What a key is, nobody sees again; it can be ended. */
export function Keys() {
  const { query } = usePlace();
  const user = query.get("user_id");
  const active = query.get("active");
  const asked = { user_id: user, active, format: "csv" };
  const save = () => api.download("/admin/api-keys", { query: asked });
  return html`<${Page}
    title=${t("admin.keys.title")}
    about=${t("admin.keys.about")}
    actions=${html`<${CSVButton} save=${save} />`}
  >
    <${Card} flush>
      <${Filters} names=${["user_id", "active"]}>
        <${OfPerson} name="user_id" />
        <${FilterSelect}
          name="active"
          label=${t("keys.state")}
          any=${t("admin.anyState")}
          options=${[
            { value: "true", label: t("keys.live") },
            { value: "false", label: t("admin.keys.ended") },
          ]}
        />
      <//>
      <${KeyList} user=${user} active=${active} showsOwner />
    <//>
  <//>`;
}
