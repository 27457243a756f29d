import { html, useState } from "preact";
import { Button } from "../components/Button.js";
import { Doorway } from "../components/Doorway.js";
import { Icon } from "../components/Icon.js";
import { api } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { attempt } from "../lib/notices.js";

/** A mail is on its way. @param {{email: string, text: string, again?: string}} props */
export function CheckMail({ email, text, again = "/auth/resend-verification" }) {
  const [busy, setBusy] = useState(false);
  const resend = async () => {
    setBusy(true);
    await attempt(() => api.post(again, { email }, { anonymous: true }), t("mail.sentAgain"));
    setBusy(false);
  };
  return html`<${Doorway}
    title=${t("mail.title")}
    foot=${html`<a class="link" href="/sign-in">${t("mail.back")}</a>`}
  >
    <div class="grid gap-4">
      <span class="w-fit rounded-full bg-accent-soft p-3 text-accent"><${Icon} name="mail" size=${24} /></span>
      <p class="text-sm break-words">${text}</p>
      <${Button} busy=${busy} onClick=${resend}>${t("mail.again")}<//>
    </div>
  <//>`;
}
