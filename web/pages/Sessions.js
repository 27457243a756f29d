import { html } from "preact";
import { Badge } from "../components/Badge.js";
import { Button } from "../components/Button.js";
import { Card } from "../components/Card.js";
import { Page } from "../components/Page.js";
import { Loaded } from "../components/States.js";
import { Table } from "../components/Table.js";
import { api, signOut } from "../lib/api.js";
import { ago, date, dateTime, deviceName } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { attempt, confirm } from "../lib/notices.js";
import { useResource } from "../lib/resource.js";

/** Where one is signed in, and the end of each. */
export function Sessions() {
  const list = useResource((signal) => api.get("/me/sessions", { signal }), []);
  const end = async (row) => {
    const name = deviceName(row.user_agent);
    const question = {
      title: row.current ? t("sessions.endThisTitle") : t("sessions.endTitle", { name }),
      body: t("sessions.endBody"),
      action: t("sessions.end"),
      danger: true,
    };
    if (!(await confirm(question))) return;
    const work = row.current ? signOut : () => api.delete(`/me/sessions/${row.id}`);
    if (await attempt(work, t("sessions.ended", { name }))) if (!row.current) list.reload();
  };
  const endOthers = async () => {
    const question = {
      title: t("sessions.endOthersTitle"),
      body: t("sessions.endOthersBody"),
      action: t("sessions.endOthers"),
      danger: true,
    };
    if (!(await confirm(question))) return;
    if (await attempt(() => api.delete("/me/sessions"), t("sessions.othersEnded"))) list.reload();
  };
  const columns = [
    {
      key: "device",
      label: t("sessions.device"),
      cell: (row) => html`<span class="inline-flex flex-wrap items-center gap-2 font-medium">
        ${deviceName(row.user_agent)}${row.current && html`<${Badge} tone="accent">${t("sessions.this")}<//>`}
      </span>`,
    },
    { key: "ip", label: t("sessions.address"), cell: (row) => row.ip ?? "–" },
    { key: "created_at", label: t("sessions.began"), cell: (row) => date(row.created_at) },
    {
      key: "last_used_at",
      label: t("sessions.lastUsed"),
      cell: (row) =>
        html`<time title=${dateTime(row.last_used_at)}>${ago(row.last_used_at)}</time>`,
    },
    {
      key: "actions",
      label: t("table.actions"),
      hidden: true,
      end: true,
      cell: (row) =>
        html`<${Button} small kind="danger" onClick=${() => end(row)}>${t("sessions.end")}<//>`,
    },
  ];
  const others = (list.data?.items ?? []).some((row) => !row.current);
  return html`<${Page}
    title=${t("sessions.title")}
    about=${t("sessions.about")}
    actions=${others && html`<${Button} kind="danger" onClick=${endOthers}>${t("sessions.endOthers")}<//>`}
  >
    <${Card} flush>
      <${Loaded} of=${list} lines=${5}>
        ${(data) => html`<${Table} label=${t("sessions.title")} columns=${columns} rows=${data.items} />`}
      <//>
    <//>
  <//>`;
}
