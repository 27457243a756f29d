import { html } from "preact";
import { Checkbox, Field, Form, Select } from "../../../components/Form.js";
import { Modal } from "../../../components/Modal.js";
import { api } from "../../../lib/api.js";
import { useForm } from "../../../lib/form.js";
import { t } from "../../../lib/i18n.js";
import { roles } from "./Role.js";

/** Only what was changed is sent: two admins at one account do not undo each other's work. */
function changes(user, { name, role, email_verified }) {
  const body = {};
  const wanted = name.trim() || null;
  if (wanted !== user.name) body.name = wanted;
  if (role !== user.role) body.role = role;
  if (email_verified !== user.email_verified) body.email_verified = email_verified;
  return body;
}

/** What the role may; and, of another one, that it begins with a new sign-in. */
function roleHint(user, role) {
  const about = t(`admin.role.${role}.about`);
  return role === user.role ? about : `${about} ${t("admin.user.roleEnds")}`;
}

/** @param {{user: object, onClose: () => void, onSaved: () => void}} props */
export function EditUser({ user, onClose, onSaved }) {
  const form = useForm({
    initial: { name: user.name ?? "", role: user.role, email_verified: user.email_verified },
    async submit(values) {
      const body = changes(user, values);
      if (Object.keys(body).length > 0) await api.patch(`/admin/users/${user.id}`, body);
      onSaved();
    },
  });
  return html`<${Modal} title=${t("admin.user.editTitle", { email: user.email })} onClose=${onClose}>
    <${Form} of=${form} submit=${t("action.save")} onCancel=${onClose}>
      <${Field} ...${form.field("name")} id="edit-name" label=${t("field.name")} autocomplete="off" optional />
      <${Select}
        ...${form.field("role")}
        id="edit-role"
        label=${t("admin.user.role")}
        options=${roles()}
        hint=${roleHint(user, form.values.role)}
      />
      <${Checkbox}
        ...${form.field("email_verified")}
        label=${t("admin.user.verified")}
        hint=${t("admin.user.verifiedHint")}
      />
    <//>
  <//>`;
}
