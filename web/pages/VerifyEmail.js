import { html, useState } from "preact";
import { Alert } from "../components/Alert.js";
import { Doorway } from "../components/Doorway.js";
import { Form } from "../components/Form.js";
import { api } from "../lib/api.js";
import { useForm } from "../lib/form.js";
import { t } from "../lib/i18n.js";
import { takeToken } from "../lib/router.js";
import { session, updateUser } from "../lib/session.js";

/** A click confirms: programs that look links up for their reader use nothing up. */
export function VerifyEmail() {
  const [token] = useState(takeToken);
  const [done, setDone] = useState(false);
  const form = useForm({
    initial: {},
    async submit() {
      await api.post("/auth/verify-email", { token }, { anonymous: true });
      if (session.get().user) updateUser(await api.get("/me"));
      setDone(true);
    },
  });
  const foot = html`<a class="link" href="/">${t("verify.on")}</a>`;
  if (done) {
    return html`<${Doorway} title=${t("verify.title")} foot=${foot}>
      <${Alert} tone="ok">${t("verify.done")}<//>
    <//>`;
  }
  if (!token) {
    return html`<${Doorway} title=${t("verify.title")} foot=${foot}>
      <${Alert}>${t("verify.noToken")}<//>
    <//>`;
  }
  return html`<${Doorway} title=${t("verify.title")} about=${t("verify.about")}>
    <${Form} of=${form} submit=${t("verify.submit")} full />
  <//>`;
}
