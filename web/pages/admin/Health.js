import { html } from "preact";
import { Badge } from "../../components/Badge.js";
import { Facts } from "../../components/Stat.js";
import { ago, bytes, dateTime, number } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";

/** Backups are made each night: two missed ones are worth a look. */
const backupAgeSecondsMax = 50 * 3600;

function When({ time }) {
  return html`<time datetime=${time} title=${dateTime(time)}>${ago(time)}</time>`;
}

/** The newest backup, and whether it is as new as it should be. */
export function LastBackup({ totals }) {
  if (!totals.backup_at) return html`<${Badge} tone="warn">${t("admin.backup.never")}<//>`;
  const isOld = totals.backup_age_seconds > backupAgeSecondsMax;
  return html`<span class="inline-flex flex-wrap items-center justify-end gap-2">
    <${When} time=${totals.backup_at} />
    <${Badge} tone=${isOld ? "warn" : "ok"}>${isOld ? t("admin.backup.old") : t("admin.backup.fresh")}<//>
  </span>`;
}

/** The newest drill: a backup that was restored to see that it can be. */
export function LastDrill({ totals }) {
  if (!totals.drill_at) return html`<span class="text-muted">${t("admin.drill.never")}</span>`;
  return html`<span class="inline-flex flex-wrap items-center justify-end gap-2">
    <${When} time=${totals.drill_at} />
    <${Badge} tone=${totals.drill_ok ? "ok" : "danger"}>
      ${totals.drill_ok ? t("admin.drill.ok") : t("admin.drill.failed")}
    <//>
  </span>`;
}

function DeadJobs({ count }) {
  if (count === 0) return html`<${Badge} tone="ok">${t("admin.health.noDead")}<//>`;
  return html`<a href="/admin/jobs?state=dead" class="link text-danger">${t("admin.health.dead", { count })}</a>`;
}

/** Whether the store, the backups and the jobs are as they should be. */
export function Health({ totals }) {
  return html`<${Facts}
    of=${[
      { label: t("admin.health.store"), value: bytes(totals.store_bytes) },
      { label: t("admin.health.wal"), value: bytes(totals.store_wal_bytes) },
      { label: t("admin.backup.last"), value: html`<${LastBackup} totals=${totals} />` },
      { label: t("admin.drill.last"), value: html`<${LastDrill} totals=${totals} />` },
      { label: t("admin.health.queued"), value: number(totals.jobs_queued + totals.jobs_running) },
      { label: t("admin.health.jobs"), value: html`<${DeadJobs} count=${totals.jobs_dead} />` },
    ]}
  />`;
}
