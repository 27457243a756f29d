import { html, useState } from "preact";
import { Alert } from "../../components/Alert.js";
import { Badge } from "../../components/Badge.js";
import { Button } from "../../components/Button.js";
import { Card } from "../../components/Card.js";
import { CopyField } from "../../components/CopyField.js";
import { Field, Form } from "../../components/Form.js";
import { Actions, Modal } from "../../components/Modal.js";
import { QRCode } from "../../components/QRCode.js";
import { api } from "../../lib/api.js";
import { useForm } from "../../lib/form.js";
import { t } from "../../lib/i18n.js";
import { attempt, toast } from "../../lib/notices.js";
import { updateUser } from "../../lib/session.js";

function Enrol({ enrolment, onClose, onCodes }) {
  const form = useForm({
    initial: { code: "" },
    async submit({ code }) {
      const { recovery_codes } = await api.post("/me/totp/confirm", { code: code.trim() });
      onCodes(recovery_codes);
    },
  });
  return html`<${Modal} title=${t("totp.enrolTitle")} onClose=${onClose}>
    <ol class="mb-5 grid list-decimal gap-4 pl-5 text-sm marker:text-muted">
      <li>
        <p class="mb-3">${t("totp.scan")}</p>
        <${QRCode} text=${enrolment.otpauth_uri} label=${t("totp.code")} />
        <p class="mt-2"><a class="link" data-outside href=${enrolment.otpauth_uri}>${t("totp.open")}</a></p>
        <div class="mt-3">
          <${CopyField} id="totp-secret" label=${t("totp.secret")} value=${enrolment.secret} />
        </div>
      </li>
      <li>${t("totp.type")}</li>
    </ol>
    <${Form} of=${form} submit=${t("totp.confirm")} onCancel=${onClose}>
      <${Field}
        ...${form.field("code")}
        label=${t("field.otp")}
        inputmode="numeric"
        autocomplete="one-time-code"
        class="font-mono tracking-widest"
      />
    <//>
  <//>`;
}

function Codes({ codes, onClose }) {
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${codes.join("\n")}\n`], { type: "text/plain" }));
    link.download = "gatehouse-recovery-codes.txt";
    link.click();
  };
  const copy = () =>
    attempt(() => navigator.clipboard.writeText(codes.join("\n")), t("action.copied"));
  return html`<${Modal} title=${t("totp.codesTitle")} onClose=${onClose} fixed>
    <${Alert} tone="warn">${t("totp.codesAbout")}<//>
    <ul class="mt-4 grid grid-cols-2 gap-x-6 gap-y-1.5 rounded-lg bg-sunken p-4 font-mono text-sm">
      ${codes.map((code) => html`<li key=${code}>${code}</li>`)}
    </ul>
    <${Actions}>
      <${Button} icon="copy" onClick=${copy}>${t("action.copy")}<//>
      <${Button} icon="download" onClick=${save}>${t("action.download")}<//>
      <${Button} kind="main" onClick=${onClose}>${t("totp.kept")}<//>
    <//>
  <//>`;
}

function TurnOff({ onClose, onDone }) {
  const form = useForm({
    initial: { current_password: "" },
    async submit(values) {
      await api.delete("/me/totp", values);
      onDone();
    },
  });
  return html`<${Modal} title=${t("totp.offTitle")} onClose=${onClose}>
    <p class="mb-4 text-sm text-muted">${t("totp.offBody")}</p>
    <${Form} of=${form} kind="dangerMain" submit=${t("totp.off")} onCancel=${onClose}>
      <${Field}
        ...${form.field("current_password")}
        id="totp-password"
        type="password"
        label=${t("field.currentPassword")}
        autocomplete="current-password"
      />
    <//>
  <//>`;
}

/** Two-step sign-in: on with an app and a first code, off with the password. */
export function TwoSteps({ user }) {
  const [step, setStep] = useState({ name: "none" });
  const close = () => setStep({ name: "none" });
  const begin = () =>
    attempt(async () => setStep({ name: "enrol", enrolment: await api.post("/me/totp") }));
  const refresh = () => attempt(async () => updateUser(await api.get("/me")));
  const turnedOff = async () => {
    close();
    toast.ok(t("totp.isOff"));
    await refresh();
  };
  const gotCodes = async (codes) => {
    setStep({ name: "codes", codes });
    await refresh();
  };
  const button = user.totp_enabled
    ? html`<${Button} kind="danger" onClick=${() => setStep({ name: "off" })}>${t("totp.off")}<//>`
    : html`<${Button} kind="main" onClick=${begin}>${t("totp.on")}<//>`;
  return html`<${Card}
    title=${t("totp.title")}
    about=${t("totp.about")}
    actions=${html`<${Badge} tone=${user.totp_enabled ? "ok" : "plain"}>
        ${t(user.totp_enabled ? "totp.isOnBadge" : "totp.isOffBadge")}<//
      >${button}`}
  />
    ${
      step.name === "enrol" &&
      html`<${Enrol} enrolment=${step.enrolment} onClose=${close} onCodes=${gotCodes} />`
    }
    ${step.name === "codes" && html`<${Codes} codes=${step.codes} onClose=${close} />`}
    ${step.name === "off" && html`<${TurnOff} onClose=${close} onDone=${turnedOff} />`}`;
}
