import { html, useState } from "preact";
import { Alert } from "../../components/Alert.js";
import { Badge } from "../../components/Badge.js";
import { Button } from "../../components/Button.js";
import { Card } from "../../components/Card.js";
import { CSVButton } from "../../components/CSVButton.js";
import { Page } from "../../components/Page.js";
import { Facts } from "../../components/Stat.js";
import { EmptyState, Loaded } from "../../components/States.js";
import { ListTable } from "../../components/Table.js";
import { api } from "../../lib/api.js";
import { saveList } from "../../lib/csv.js";
import { ago, bytes, dateTime, number } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";
import { attempt, confirm } from "../../lib/notices.js";
import { useList, useResource } from "../../lib/resource.js";
import { LastBackup, LastDrill } from "./Health.js";
import { useMayChange } from "./Person.js";

const tones = { restored: "ok", written: "accent", damaged: "danger", unknown: "plain" };

const members = [
  "name",
  "bytes",
  "created_at",
  "encrypted",
  "schema",
  "rows",
  "verified",
  "verified_at",
];

function Name({ row }) {
  return html`<span class="grid justify-items-end gap-0.5 text-right sm:justify-items-start sm:text-left">
    <span class="font-mono text-xs break-all">${row.name}</span>
    <span class="text-xs text-muted">
      ${row.encrypted === null ? "" : row.encrypted ? t("admin.backup.encrypted") : t("admin.backup.clear")}
    </span>
  </span>`;
}

function columns({ mayChange, download, downloading }) {
  return [
    { key: "name", label: t("admin.backup.name"), cell: (row) => html`<${Name} row=${row} />` },
    {
      key: "created_at",
      label: t("admin.made"),
      cell: (row) =>
        html`<time datetime=${row.created_at} title=${ago(row.created_at)}>${dateTime(row.created_at)}</time>`,
    },
    { key: "bytes", label: t("admin.backup.size"), end: true, cell: (row) => bytes(row.bytes) },
    {
      key: "rows",
      label: t("admin.backup.rows"),
      end: true,
      cell: (row) => (row.rows === null ? "–" : number(row.rows)),
    },
    {
      key: "verified",
      label: t("admin.backup.verified"),
      cell: (row) => html`<span title=${t(`admin.backup.${row.verified}.about`)}>
        <${Badge} tone=${tones[row.verified]}>${t(`admin.backup.${row.verified}`)}<//>
      </span>`,
    },
    mayChange && {
      key: "actions",
      label: t("table.actions"),
      hidden: true,
      end: true,
      cell: (row) =>
        html`<${Button} small icon="download" busy=${downloading === row.name} onClick=${() => download(row)}>
          ${t("action.download")}
        <//>`,
    },
  ].filter(Boolean);
}

function Drill({ stats }) {
  return html`<${Card} title=${t("admin.drill.title")} about=${t("admin.drill.about")}>
    <${Loaded} of=${stats} lines=${2}>
      ${({ totals }) => html`<div class="grid gap-4">
        ${totals.drill_ok === false && html`<${Alert}>${t("admin.drill.failedText")}<//>`}
        <${Facts}
          of=${[
            { label: t("admin.backup.last"), value: html`<${LastBackup} totals=${totals} />` },
            { label: t("admin.drill.last"), value: html`<${LastDrill} totals=${totals} />` },
          ]}
        />
      </div>`}
    <//>
  <//>`;
}

/** The backups there are, one more, and whether the newest was seen to restore. */
export function Backups() {
  const mayChange = useMayChange();
  const list = useList("/admin/backups");
  const stats = useResource((signal) => api.get("/admin/stats", { signal }), []);
  const [making, setMaking] = useState(false);
  const [downloading, setDownloading] = useState(null);
  const make = async () => {
    const question = {
      title: t("admin.backup.makeTitle"),
      body: t("admin.backup.makeBody"),
      action: t("admin.backup.make"),
    };
    if (!(await confirm(question))) return;
    setMaking(true);
    if (await attempt(() => api.post("/admin/backups"), t("admin.backup.madeDone"))) {
      list.reload();
      stats.reload();
    }
    setMaking(false);
  };
  const download = async (row) => {
    if (!row.encrypted) {
      const question = {
        title: t("admin.backup.downloadTitle", { name: row.name }),
        body: t("admin.backup.downloadBody"),
        action: t("action.download"),
      };
      if (!(await confirm(question))) return;
    }
    setDownloading(row.name);
    await attempt(() => api.download(`/admin/backups/${row.name}`));
    setDownloading(null);
  };
  const save = () => saveList("/admin/backups", { columns: members, name: "backups" });
  const button = html`<${Button} kind="main" icon="archive" busy=${making} onClick=${make}>
    ${making ? t("admin.backup.making") : t("admin.backup.make")}
  <//>`;
  return html`<${Page}
    title=${t("admin.backups.title")}
    about=${t("admin.backups.about")}
    actions=${html`<${CSVButton} save=${save} />${mayChange && button}`}
  >
    <${Drill} stats=${stats} />
    <${Card} flush>
      <${ListTable}
        list=${list}
        label=${t("admin.backups.title")}
        columns=${columns({ mayChange, download, downloading })}
        rowKey=${(row) => row.name}
        empty=${html`<${EmptyState} icon="archive" title=${t("admin.backups.none")} text=${t("admin.backups.noneText")} action=${mayChange && button} />`}
      />
    <//>
  <//>`;
}
