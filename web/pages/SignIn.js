import { html, useState } from "preact";
import { Doorway } from "../components/Doorway.js";
import { Field, Form } from "../components/Form.js";
import { signIn } from "../lib/api.js";
import { useForm } from "../lib/form.js";
import { t } from "../lib/i18n.js";
import { Problem } from "../lib/problem.js";

/** Signing in; a second step where the account asks for a code. Afterwards the shell moves on. */
export function SignIn() {
  const [asksCode, setAsksCode] = useState(false);
  const form = useForm({
    initial: { email: "", password: "", otp: "" },
    async submit(values) {
      try {
        await signIn({ ...values, email: values.email.trim(), otp: values.otp.trim() });
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== "otp_required") throw error;
        setAsksCode(true);
        requestAnimationFrame(() => document.getElementById("otp")?.focus());
      }
    },
  });
  const back = () => {
    setAsksCode(false);
    form.set("otp", "");
  };
  if (asksCode) {
    return html`<${Doorway}
      title=${t("signIn.codeTitle")}
      about=${t("signIn.codeAbout")}
      foot=${html`<button type="button" class="link" onClick=${back}>${t("signIn.other")}</button>`}
    >
      <${Form} of=${form} submit=${t("signIn.submit")} full>
        <${Field}
          ...${form.field("otp")}
          label=${t("field.otp")}
          hint=${t("signIn.codeHint")}
          inputmode="numeric"
          autocomplete="one-time-code"
          class="font-mono tracking-widest"
        />
      <//>
    <//>`;
  }
  return html`<${Doorway}
    title=${t("signIn.title")}
    foot=${html`${t("signIn.noAccount")} <a class="link" href="/register">${t("register.submit")}</a>`}
  >
    <${Form} of=${form} submit=${t("signIn.submit")} full>
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
        autocomplete="current-password"
      />
      <p class="-mt-1 text-sm"><a class="link" href="/forgot-password">${t("signIn.forgot")}</a></p>
    <//>
  <//>`;
}
