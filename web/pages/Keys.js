import { html, useState } from "preact";
import { Button } from "../components/Button.js";
import { Card } from "../components/Card.js";
import { isLive, KeyName, KeyScopes, KeyState } from "../components/KeyCells.js";
import { Page } from "../components/Page.js";
import { EmptyState } from "../components/States.js";
import { ListTable } from "../components/Table.js";
import { api } from "../lib/api.js";
import { ago, date, dateTime } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { attempt, confirm } from "../lib/notices.js";
import { useList } from "../lib/resource.js";
import { setQuery, usePlace } from "../lib/router.js";
import { NewKey } from "./keys/NewKey.js";
import { RotateKey } from "./keys/RotateKey.js";
import { ShownKey } from "./keys/ShownKey.js";

/** One's API keys: made, rotated, revoked. What a key is, is shown once. */
export function Keys() {
  const list = useList("/api-keys");
  const { query } = usePlace();
  const [rotated, setRotated] = useState(null);
  const [shown, setShown] = useState(null);
  const show = (key) => {
    setRotated(null);
    setShown(key);
    setQuery({ new: null });
    list.reload();
  };
  const revoke = async (row) => {
    const question = {
      title: t("keys.revokeTitle", { name: row.name }),
      body: t("keys.revokeBody"),
      action: t("keys.revoke"),
      danger: true,
    };
    if (!(await confirm(question))) return;
    const done = t("keys.revokedDone", { name: row.name });
    if (await attempt(() => api.delete(`/api-keys/${row.id}`), done)) list.reload();
  };
  const columns = [
    { key: "name", label: t("keys.name"), cell: (row) => html`<${KeyName} row=${row} />` },
    { key: "scopes", label: t("keys.scopes"), cell: (row) => html`<${KeyScopes} row=${row} />` },
    { key: "state", label: t("keys.state"), cell: (row) => html`<${KeyState} row=${row} />` },
    {
      key: "last_used_at",
      label: t("keys.lastUsed"),
      cell: (row) =>
        html`<time title=${dateTime(row.last_used_at)}>${ago(row.last_used_at)}</time>`,
    },
    {
      key: "expires_at",
      label: t("keys.expires"),
      cell: (row) => (row.expires_at ? date(row.expires_at) : t("keys.endless")),
    },
    {
      key: "actions",
      label: t("table.actions"),
      hidden: true,
      end: true,
      cell: (row) =>
        isLive(row) &&
        html`<span class="inline-flex gap-2">
          <${Button} small onClick=${() => setRotated(row)}>${t("keys.rotate")}<//>
          <${Button} small kind="danger" onClick=${() => revoke(row)}>${t("keys.revoke")}<//>
        </span>`,
    },
  ];
  const create = () => setQuery({ new: 1 });
  const button = html`<${Button} kind="main" icon="plus" onClick=${create}>${t("keys.new")}<//>`;
  return html`<${Page} title=${t("keys.title")} about=${t("keys.about")} actions=${button}>
    <${Card} flush>
      <${ListTable}
        list=${list}
        label=${t("keys.title")}
        columns=${columns}
        empty=${html`<${EmptyState} icon="key" title=${t("keys.none")} text=${t("keys.noneText")} action=${button} />`}
      />
    <//>
    ${query.has("new") && html`<${NewKey} onClose=${() => setQuery({ new: null })} onMade=${show} />`}
    ${rotated && html`<${RotateKey} row=${rotated} onClose=${() => setRotated(null)} onMade=${show} />`}
    ${shown && html`<${ShownKey} made=${shown} onClose=${() => setShown(null)} />`}
  <//>`;
}
