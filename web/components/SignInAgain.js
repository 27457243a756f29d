import { html, useEffect, useState } from "preact";
import { onOldSignIn, signInAgain } from "../lib/api.js";
import { useForm } from "../lib/form.js";
import { t } from "../lib/i18n.js";
import { session } from "../lib/session.js";
import { Field, Form } from "./Form.js";
import { Modal } from "./Modal.js";

function Ask({ done }) {
  const { user } = session.get();
  const form = useForm({
    initial: { password: "", otp: "" },
    async submit({ password, otp }) {
      await signInAgain({ email: user.email, password, otp: otp.trim() });
      done(true);
    },
  });
  return html`<${Modal} title=${t("again.title")} onClose=${() => done(false)}>
    <p class="mb-4 text-sm text-muted">${t("again.about")}</p>
    <${Form} of=${form} submit=${t("action.continue")} onCancel=${() => done(false)}>
      <${Field}
        ...${form.field("password")}
        id="again-password"
        type="password"
        label=${t("field.password")}
        autocomplete="current-password"
      />
      ${
        user.totp_enabled &&
        html`<${Field}
        ...${form.field("otp")}
        id="again-otp"
        label=${t("field.otp")}
        inputmode="numeric"
        autocomplete="one-time-code"
      />`
      }
    <//>
  <//>`;
}

/** What the server asks for before a dangerous step: a sign-in of the last minutes. */
export function SignInAgain() {
  const [asked, setAsked] = useState(null);
  useEffect(() => {
    onOldSignIn(
      () =>
        new Promise((resolve) => {
          setAsked({ resolve });
        }),
    );
  }, []);
  if (!asked) return null;
  const done = (isIn) => {
    setAsked(null);
    asked.resolve(isIn);
  };
  return html`<${Ask} done=${done} />`;
}
