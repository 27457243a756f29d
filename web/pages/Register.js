import { html, useState } from "preact";
import { Doorway } from "../components/Doorway.js";
import { Field, Form } from "../components/Form.js";
import { api, signIn } from "../lib/api.js";
import { useForm } from "../lib/form.js";
import { t } from "../lib/i18n.js";
import { CheckMail } from "./CheckMail.js";

export function Register() {
  const [sentTo, setSentTo] = useState(null);
  const form = useForm({
    initial: { name: "", email: "", password: "" },
    async submit({ name, email, password }) {
      const body = { email: email.trim(), password };
      if (name.trim()) body.name = name.trim();
      const answer = await api.post("/auth/register", body, { anonymous: true });
      // With verification on, the answer is the same for every address: the mail says the rest.
      if (answer.status === "verification_sent") setSentTo(body.email);
      else await signIn({ email: body.email, password });
    },
  });
  if (sentTo)
    return html`<${CheckMail} email=${sentTo} text=${t("register.sent", { email: sentTo })} />`;
  return html`<${Doorway}
    title=${t("register.title")}
    foot=${html`${t("register.haveAccount")} <a class="link" href="/sign-in">${t("signIn.submit")}</a>`}
  >
    <${Form} of=${form} submit=${t("register.submit")} full>
      <${Field} ...${form.field("name")} label=${t("field.name")} autocomplete="name" optional />
      <${Field} ...${form.field("email")} type="email" label=${t("field.email")} autocomplete="email" />
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
