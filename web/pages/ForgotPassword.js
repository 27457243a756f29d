import { html, useState } from "preact";
import { Doorway } from "../components/Doorway.js";
import { Field, Form } from "../components/Form.js";
import { api } from "../lib/api.js";
import { useForm } from "../lib/form.js";
import { t } from "../lib/i18n.js";
import { CheckMail } from "./CheckMail.js";

export function ForgotPassword() {
  const [sentTo, setSentTo] = useState(null);
  const form = useForm({
    initial: { email: "" },
    async submit({ email }) {
      await api.post("/auth/forgot-password", { email: email.trim() }, { anonymous: true });
      setSentTo(email.trim());
    },
  });
  if (sentTo) {
    return html`<${CheckMail}
      email=${sentTo}
      text=${t("forgot.sent", { email: sentTo })}
      again="/auth/forgot-password"
    />`;
  }
  return html`<${Doorway}
    title=${t("forgot.title")}
    about=${t("forgot.about")}
    foot=${html`<a class="link" href="/sign-in">${t("mail.back")}</a>`}
  >
    <${Form} of=${form} submit=${t("forgot.submit")} full>
      <${Field}
        ...${form.field("email")}
        type="email"
        label=${t("field.email")}
        autocomplete="username"
      />
    <//>
  <//>`;
}
