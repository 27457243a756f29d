import { html } from "preact";
import { Field, Form, Select } from "../../../components/Form.js";
import { Modal } from "../../../components/Modal.js";
import { api } from "../../../lib/api.js";
import { useForm } from "../../../lib/form.js";
import { t } from "../../../lib/i18n.js";
import { roles } from "./Role.js";

/** An account for somebody, who sets the password by the mailed link. @param {{onClose: () => void, onMade: (user: object) => void}} props */
export function NewUser({ onClose, onMade }) {
  const form = useForm({
    initial: { email: "", name: "", role: "user" },
    async submit({ email, name, role }) {
      const body = { email: email.trim(), role };
      if (name.trim()) body.name = name.trim();
      onMade(await api.post("/admin/users", body));
    },
  });
  return html`<${Modal} title=${t("admin.users.new")} onClose=${onClose}>
    <p class="mb-4 text-sm text-muted">${t("admin.users.newAbout")}</p>
    <${Form} of=${form} submit=${t("admin.users.invite")} onCancel=${onClose}>
      <${Field} ...${form.field("email")} id="new-email" type="email" label=${t("field.email")} autocomplete="off" autofocus />
      <${Field} ...${form.field("name")} id="new-name" label=${t("field.name")} autocomplete="off" optional />
      <${Select}
        ...${form.field("role")}
        id="new-role"
        label=${t("admin.user.role")}
        options=${roles()}
        hint=${t(`admin.role.${form.values.role}.about`)}
      />
    <//>
  <//>`;
}
