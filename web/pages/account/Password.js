import { html } from "preact";
import { Card } from "../../components/Card.js";
import { Field, Form } from "../../components/Form.js";
import { api } from "../../lib/api.js";
import { useForm } from "../../lib/form.js";
import { t } from "../../lib/i18n.js";
import { toast } from "../../lib/notices.js";

export function Password() {
  const form = useForm({
    initial: { current_password: "", new_password: "" },
    async submit(values) {
      await api.post("/me/password", values);
      form.reset();
      toast.ok(t("password.changed"));
    },
  });
  return html`<${Card} title=${t("password.title")} about=${t("password.about")}>
    <${Form} of=${form} submit=${t("password.submit")}>
      <div class="grid gap-4 sm:grid-cols-2">
        <${Field}
          ...${form.field("current_password")}
          type="password"
          label=${t("field.currentPassword")}
          autocomplete="current-password"
        />
        <${Field}
          ...${form.field("new_password")}
          type="password"
          label=${t("field.newPassword")}
          hint=${t("password.hint")}
          autocomplete="new-password"
        />
      </div>
    <//>
  <//>`;
}
