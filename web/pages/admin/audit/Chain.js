import { html, useState } from "preact";
import { Alert } from "../../../components/Alert.js";
import { Button } from "../../../components/Button.js";
import { Card } from "../../../components/Card.js";
import { api } from "../../../lib/api.js";
import { dateTime } from "../../../lib/format.js";
import { t, tn } from "../../../lib/i18n.js";
import { attempt } from "../../../lib/notices.js";

function Result({ walk, at }) {
  const time = dateTime(at);
  if (!walk.intact) {
    return html`<${Alert}>${t("admin.chain.broken", { row: walk.first_broken, time })}<//>`;
  }
  const pruned =
    walk.pruned_through > 0 ? ` ${t("admin.chain.pruned", { row: walk.pruned_through })}` : "";
  return html`<${Alert} tone="ok">${tn("admin.chain.intact", walk.rows, { time })}${pruned}<//>`;
}

/** Whether anybody changed or removed a row since it was written. It reads all: on demand. */
export function Chain() {
  const [result, setResult] = useState(null);
  const [busy, setBusy] = useState(false);
  const check = async () => {
    setBusy(true);
    await attempt(async () => {
      const walk = await api.get("/admin/audit-logs/verify");
      setResult({ walk, at: new Date().toISOString() });
    });
    setBusy(false);
  };
  return html`<${Card}
    title=${t("admin.chain.title")}
    about=${t("admin.chain.about")}
    actions=${html`<${Button} icon="shield" busy=${busy} onClick=${check}>${t("admin.chain.check")}<//>`}
  >
    ${result ? html`<${Result} ...${result} />` : html`<p class="text-sm text-muted">${t("admin.chain.unchecked")}</p>`}
  <//>`;
}
