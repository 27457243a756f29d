import { html } from "preact";
import { Field, Form } from "../../../components/Form.js";
import { Modal } from "../../../components/Modal.js";
import { api } from "../../../lib/api.js";
import { useForm } from "../../../lib/form.js";
import { t } from "../../../lib/i18n.js";
import { Problem } from "../../../lib/problem.js";

/** Whose address it is, and the plan that they have now. */
async function find(address) {
  const query = { q: address, sort: "email", limit: 200 };
  const { items } = await api.get("/admin/users", { query });
  const user = items.find(({ email }) => email === address);
  if (!user) {
    const message = t("admin.nobody", { address });
    throw new Problem(404, { errors: [{ field: "email", code: "unknown_user", message }] });
  }
  const mine = { user_id: user.id, status: "active", limit: 1 };
  const active = await api.get("/admin/subscriptions", { query: mine });
  return { user, subscription: active.items[0] ?? null };
}

/**
 * The first step of giving a plan: to whom. Who has one gets the change of it, not a second.
 * @param {{onClose: () => void, onFound: (whom: {user: object, subscription: object | null}) => void}} props
 */
export function Give({ onClose, onFound }) {
  const form = useForm({
    initial: { email: "" },
    submit: async ({ email }) => onFound(await find(email.trim().toLowerCase())),
  });
  return html`<${Modal} title=${t("admin.subscription.give")} onClose=${onClose}>
    <${Form} of=${form} submit=${t("action.continue")} onCancel=${onClose}>
      <${Field}
        ...${form.field("email")}
        id="give-email"
        type="email"
        label=${t("field.email")}
        hint=${t("admin.subscription.giveHint")}
        autocomplete="off"
        autofocus
      />
    <//>
  <//>`;
}
