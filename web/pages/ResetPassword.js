import { html, useState } from "preact";
import { Alert } from "../components/Alert.js";
import { Doorway } from "../components/Doorway.js";
import { Field, Form } from "../components/Form.js";
import { api } from "../lib/api.js";
import { useForm } from "../lib/form.js";
import { t } from "../lib/i18n.js";
import { takeToken } from "../lib/router.js";

/** Behind the link of a mail: looking at it uses nothing up, only sending the form does. */
export function ResetPassword() {
  const [token] = useState(takeToken);
  const [done, setDone] = useState(false);
  const form = useForm({
    initial: { password: "" },
    async submit({ password }) {
      await api.post("/auth/reset-password", { token, password }, { anonymous: true });
      setDone(true);
    },
  });
  const foot = html`<a class="link" href="/sign-in">${t("mail.back")}</a>`;
  if (done) {
    return html`<${Doorway} title=${t("reset.doneTitle")} foot=${foot}>
      <${Alert} tone="ok">${t("reset.done")}<//>
    <//>`;
  }
  if (!token) {
    return html`<${Doorway} title=${t("reset.title")} foot=${foot}>
      <${Alert}>${t("reset.noToken")} <a class="link" href="/forgot-password">${t("reset.another")}</a><//>
    <//>`;
  }
  return html`<${Doorway} title=${t("reset.title")} about=${t("reset.about")} foot=${foot}>
    <${Form} of=${form} submit=${t("reset.submit")} full>
      <${Field}
        ...${form.field("password")}
        type="password"
        label=${t("field.newPassword")}
        hint=${t("password.hint")}
        autocomplete="new-password"
      />
    <//>
  <//>`;
}
