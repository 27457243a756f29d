import { html, useState } from "preact";
import { Alert } from "../components/Alert.js";
import { Doorway } from "../components/Doorway.js";
import { Field, Form } from "../components/Form.js";
import { api, signIn } from "../lib/api.js";
import { useForm } from "../lib/form.js";
import { t } from "../lib/i18n.js";
import { navigate, takeToken } from "../lib/router.js";

/** The first admin, by the link that the first start prints. */
export function Setup() {
  const [token] = useState(takeToken);
  const form = useForm({
    initial: { email: "", password: "" },
    async submit({ email, password }) {
      const credentials = { email: email.trim(), password };
      const pair = await api.post("/setup", { token, ...credentials }, { anonymous: true });
      // That session's token is in our hands; the browser's own belongs in its cookie.
      const ended = { refresh_token: pair.refresh_token };
      await api.post("/auth/logout", ended, { anonymous: true });
      await signIn(credentials);
      navigate("/admin");
    },
  });
  if (!token) {
    return html`<${Doorway} title=${t("setup.title")}><${Alert}>${t("setup.noToken")}<//><//>`;
  }
  return html`<${Doorway} title=${t("setup.title")} about=${t("setup.about")}>
    <${Form} of=${form} submit=${t("setup.submit")} full>
      <${Field}
        ...${form.field("email")}
        type="email"
        label=${t("field.email")}
        autocomplete="username"
      />
      <${Field}
        ...${form.field("password")}
        type="password"
        label=${t("field.password")}
        hint=${t("password.hint")}
        autocomplete="new-password"
      />
    <//>
  <//>`;
}
