import { html, useState } from "preact";
import { Checkbox, Field, Form, TextArea } from "../../../components/Form.js";
import { Modal } from "../../../components/Modal.js";
import { api } from "../../../lib/api.js";
import { useForm } from "../../../lib/form.js";
import { t } from "../../../lib/i18n.js";
import { describeField } from "../../../lib/problem.js";
import { limitsOf, nameFault, rowsOf, valueFault } from "./grammar.js";
import { emptyRow, LimitRows, withKey } from "./LimitRows.js";

/** What is sent: of a plan that exists its slug is its address, and does not change. */
function body(values, rows, plan) {
  const wanted = {
    name: values.name.trim(),
    description: values.description.trim() || null,
    limits: limitsOf(rows),
    self_service: values.self_service,
    is_default: values.is_default,
  };
  if (plan) return wanted;
  if (wanted.description === null) delete wanted.description;
  return { slug: values.slug.trim(), ...wanted };
}

/** What the server said of single limits, by their names. */
function limitFaults(problem) {
  const entries = (problem.errors ?? []).filter(({ field }) => field.startsWith("limits."));
  return Object.fromEntries(entries.map((entry) => [entry.field.slice(7), describeField(entry)]));
}

/** @param {{plan: object | null, onClose: () => void, onSaved: (plan: object) => void}} props */
export function PlanForm({ plan, onClose, onSaved }) {
  const [rows, setRows] = useState(() =>
    plan ? rowsOf(plan.limits).map(withKey) : [{ ...emptyRow(), name: "requests_per_month" }],
  );
  const [faults, setFaults] = useState({});
  const form = useForm({
    initial: {
      slug: plan?.slug ?? "",
      name: plan?.name ?? "",
      description: plan?.description ?? "",
      self_service: plan?.self_service ?? true,
      is_default: plan?.is_default ?? false,
    },
    async submit(values) {
      const used = rows.filter((row) => row.name || row.value);
      setRows(used.map((row) => ({ ...row, isLeft: true })));
      setFaults({});
      const wrong = used.filter((row) => nameFault(row, used) ?? valueFault(row));
      if (wrong.length > 0) return form.setFailure(t("admin.plan.limitsWrong"));
      try {
        const wanted = body(values, used, plan);
        const saved = plan
          ? await api.patch(`/admin/plans/${plan.slug}`, wanted)
          : await api.post("/admin/plans", wanted);
        return onSaved(saved);
      } catch (problem) {
        setFaults(limitFaults(problem));
        throw problem;
      }
    },
  });
  const title = plan ? t("admin.plan.editTitle", { name: plan.name }) : t("admin.plan.new");
  return html`<${Modal} title=${title} onClose=${onClose} wide>
    <${Form} of=${form} submit=${t("action.save")} onCancel=${onClose}>
      <div class="grid items-start gap-4 sm:grid-cols-2">
        <${Field} ...${form.field("name")} id="plan-name" label=${t("field.name")} autocomplete="off" autofocus=${!plan} />
        ${
          !plan &&
          html`<${Field}
          ...${form.field("slug")}
          id="plan-slug"
          label=${t("admin.plan.slug")}
          hint=${t("admin.plan.slugHint")}
          autocomplete="off"
          autocapitalize="none"
        />`
        }
      </div>
      <${TextArea} ...${form.field("description")} id="plan-description" rows="2" label=${t("admin.plan.description")} optional />
      <${LimitRows} rows=${rows} faults=${faults} onRows=${setRows} />
      <div class="grid gap-3 sm:grid-cols-2">
        <${Checkbox}
          ...${form.field("self_service")}
          label=${t("admin.plan.selfService")}
          hint=${t("admin.plan.selfServiceHint")}
        />
        <${Checkbox} ...${form.field("is_default")} label=${t("admin.plan.default")} hint=${t("admin.plan.defaultHint")} />
      </div>
    <//>
  <//>`;
}
