import { html, useState } from "preact";
import { Button } from "../../components/Button.js";
import { Card } from "../../components/Card.js";
import { Field, Form } from "../../components/Form.js";
import { Modal } from "../../components/Modal.js";
import { api } from "../../lib/api.js";
import { useForm } from "../../lib/form.js";
import { t } from "../../lib/i18n.js";
import { toast } from "../../lib/notices.js";
import { navigate } from "../../lib/router.js";
import { forget } from "../../lib/session.js";

function Ask({ user, onClose }) {
  const form = useForm({
    initial: { current_password: "" },
    async submit(values) {
      await api.delete("/me", values);
      forget();
      navigate("/sign-in");
      toast.ok(t("deletion.done"));
    },
  });
  return html`<${Modal} title=${t("deletion.askTitle", { email: user.email })} onClose=${onClose}>
    <p class="mb-4 text-sm text-muted">${t("deletion.askBody")}</p>
    <${Form} of=${form} kind="dangerMain" submit=${t("deletion.submit")} onCancel=${onClose}>
      <${Field}
        ...${form.field("current_password")}
        id="deletion-password"
        type="password"
        label=${t("field.currentPassword")}
        autocomplete="current-password"
      />
    <//>
  <//>`;
}

export function Deletion({ user }) {
  const [open, setOpen] = useState(false);
  return html`<${Card}
      title=${t("deletion.title")}
      about=${t("deletion.about")}
      actions=${html`<${Button} kind="danger" onClick=${() => setOpen(true)}>${t("deletion.submit")}<//>`}
    />
    ${open && html`<${Ask} user=${user} onClose=${() => setOpen(false)} />`}`;
}
