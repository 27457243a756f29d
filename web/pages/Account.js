import { html } from "preact";
import { Page } from "../components/Page.js";
import { t } from "../lib/i18n.js";
import { session } from "../lib/session.js";
import { useStore } from "../lib/store.js";
import { Deletion } from "./account/Deletion.js";
import { Password } from "./account/Password.js";
import { Profile } from "./account/Profile.js";
import { TwoSteps } from "./account/TwoSteps.js";

export function Account() {
  const { user } = useStore(session);
  if (!user) return null;
  return html`<${Page} title=${t("account.title")} about=${t("account.about")}>
    <${Profile} user=${user} />
    <${Password} />
    <${TwoSteps} user=${user} />
    <${Deletion} user=${user} />
  <//>`;
}
