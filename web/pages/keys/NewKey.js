import { html } from "preact";
import { Checkbox, Field, Form, Select } from "../../components/Form.js";
import { Modal } from "../../components/Modal.js";
import { api } from "../../lib/api.js";
import { useForm } from "../../lib/form.js";
import { t } from "../../lib/i18n.js";
import { session } from "../../lib/session.js";

const common = [
  "gate",
  "usage:read",
  "usage:write",
  "items:read",
  "items:write",
  "reservations",
  "leases",
  "tokens:introspect",
];

/** What this role can give away; the server decides. */
function scopesOf(role) {
  if (role === "admin") return [...common, "admin:read", "admin:write"];
  return role === "support" ? [...common, "admin:read"] : common;
}

const days = ["", "30", "90", "365"];

function body({ name, expires, networks, scopes }) {
  const key = { name: name.trim(), scopes };
  if (expires) {
    key.expires_at = new Date(Date.now() + Number(expires) * 86_400_000).toISOString();
  }
  const allowed = networks.split(/[\s,]+/).filter(Boolean);
  if (allowed.length > 0) key.allowed_cidrs = allowed;
  return key;
}

/** @param {{onClose: () => void, onMade: (key: object) => void}} props */
export function NewKey({ onClose, onMade }) {
  const form = useForm({
    initial: { name: "", scopes: ["gate"], expires: "", allowed_cidrs: "" },
    async submit(values) {
      onMade(await api.post("/api-keys", body({ ...values, networks: values.allowed_cidrs })));
    },
  });
  const { scopes } = form.values;
  const toggle = (scope, isOn) =>
    form.set("scopes", isOn ? [...scopes, scope] : scopes.filter((other) => other !== scope));
  return html`<${Modal} title=${t("keys.new")} onClose=${onClose} wide>
    <${Form} of=${form} submit=${t("keys.create")} onCancel=${onClose}>
      <${Field}
        ...${form.field("name")}
        label=${t("keys.name")}
        hint=${t("keys.nameHint")}
        autocomplete="off"
        autofocus
      />
      <fieldset class="grid gap-3" aria-describedby=${form.errors.scopes ? "scopes-error" : undefined}>
        <legend class="mb-1 text-sm font-medium">${t("keys.scopes")}</legend>
        <div class="grid gap-3 sm:grid-cols-2">
          ${scopesOf(session.get().user.role).map(
            (scope) => html`<${Checkbox}
              key=${scope}
              id=${`scope-${scope.replace(":", "-")}`}
              name="scopes"
              value=${scopes.includes(scope)}
              onValue=${(isOn) => toggle(scope, isOn)}
              label=${scope}
              hint=${t(`scope.${scope}`)}
            />`,
          )}
        </div>
        ${form.errors.scopes && html`<p id="scopes-error" class="text-sm text-danger">${form.errors.scopes}</p>`}
      </fieldset>
      <div class="grid gap-4 sm:grid-cols-2">
        <${Select}
          ...${form.field("expires")}
          label=${t("keys.expires")}
          options=${days.map((value) => ({
            value,
            label: value ? t("keys.days", { days: Number(value) }) : t("keys.endless"),
          }))}
        />
        <${Field}
          ...${form.field("allowed_cidrs")}
          label=${t("keys.networks")}
          hint=${t("keys.networksHint")}
          placeholder="203.0.113.0/24"
          autocomplete="off"
          optional
        />
      </div>
    <//>
  <//>`;
}
