import { html } from "preact";
import { Badge } from "../../components/Badge.js";
import { Card } from "../../components/Card.js";
import { Field, Form } from "../../components/Form.js";
import { api } from "../../lib/api.js";
import { useForm } from "../../lib/form.js";
import { t } from "../../lib/i18n.js";
import { toast } from "../../lib/notices.js";
import { updateUser } from "../../lib/session.js";

/** Name and address; a new address needs the password and is verified anew. */
export function Profile({ user }) {
  const form = useForm({
    initial: { name: user.name ?? "", email: user.email, current_password: "" },
    async submit({ name, email, current_password }) {
      const body = { name: name.trim() || null };
      if (email.trim() !== user.email) {
        body.email = email.trim();
        if (current_password) body.current_password = current_password;
      }
      updateUser(await api.patch("/me", body));
      form.set("current_password", "");
      toast.ok(t(body.email ? "profile.savedAddress" : "profile.saved"));
    },
  });
  const isNew = form.values.email.trim() !== user.email;
  return html`<${Card}
    title=${t("profile.title")}
    actions=${html`<${Badge} tone=${user.email_verified ? "ok" : "warn"}>
      ${t(user.email_verified ? "profile.verified" : "profile.unverified")}
    <//>`}
  >
    <${Form} of=${form} submit=${t("action.save")}>
      <div class="grid gap-4 sm:grid-cols-2">
        <${Field} ...${form.field("name")} label=${t("field.name")} autocomplete="name" optional />
        <${Field} ...${form.field("email")} type="email" label=${t("field.email")} autocomplete="email" />
      </div>
      ${
        isNew &&
        html`<${Field}
        ...${form.field("current_password")}
        id="profile-password"
        type="password"
        label=${t("field.currentPassword")}
        hint=${t("profile.passwordHint")}
        autocomplete="current-password"
      />`
      }
    <//>
  <//>`;
}
