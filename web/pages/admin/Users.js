import { html } from "preact";
import { Badge } from "../../components/Badge.js";
import { Button } from "../../components/Button.js";
import { Card } from "../../components/Card.js";
import { CSVButton } from "../../components/CSVButton.js";
import { FilterSelect, Filters, FilterText } from "../../components/Filters.js";
import { Page } from "../../components/Page.js";
import { EmptyState } from "../../components/States.js";
import { ListTable } from "../../components/Table.js";
import { api } from "../../lib/api.js";
import { date, dateTime } from "../../lib/format.js";
import { t } from "../../lib/i18n.js";
import { toast } from "../../lib/notices.js";
import { useList } from "../../lib/resource.js";
import { navigate, setQuery, usePlace } from "../../lib/router.js";
import { UserLink, useMayChange } from "./Person.js";
import { usePlans } from "./plans/all.js";
import { NewUser } from "./users/NewUser.js";
import { RoleBadge, roles } from "./users/Role.js";

const filters = ["q", "role", "active", "plan", "sort"];
const orders = ["-created_at", "created_at", "email", "-email"];

function Who({ row }) {
  return html`<span class="grid justify-items-end gap-0.5 text-right sm:justify-items-start sm:text-left">
    <${UserLink} id=${row.id} email=${row.email} />
    ${row.name && html`<span class="text-xs text-muted">${row.name}</span>`}
  </span>`;
}

export function StateBadge({ user }) {
  if (!user.is_active) return html`<${Badge} tone="danger">${t("admin.user.inactive")}<//>`;
  if (!user.email_verified) return html`<${Badge} tone="warn">${t("admin.user.unverified")}<//>`;
  return html`<${Badge} tone="ok">${t("admin.user.active")}<//>`;
}

function columns() {
  return [
    { key: "email", label: t("admin.user"), cell: (row) => html`<${Who} row=${row} />` },
    {
      key: "role",
      label: t("admin.user.role"),
      cell: (row) => html`<${RoleBadge} role=${row.role} />`,
    },
    { key: "plan", label: t("admin.plan"), cell: (row) => row.plan ?? "–" },
    { key: "state", label: t("keys.state"), cell: (row) => html`<${StateBadge} user=${row} />` },
    {
      key: "totp_enabled",
      label: t("admin.user.twoSteps"),
      cell: (row) => (row.totp_enabled ? t("totp.isOnBadge") : t("totp.isOffBadge")),
    },
    {
      key: "created_at",
      label: t("admin.user.since"),
      cell: (row) => html`<time title=${dateTime(row.created_at)}>${date(row.created_at)}</time>`,
    },
  ];
}

/** Everybody: found by a part of their address or name, narrowed, made. */
export function Users() {
  const { query } = usePlace();
  const mayChange = useMayChange();
  const plans = usePlans();
  const asked = Object.fromEntries(filters.map((name) => [name, query.get(name)]));
  const list = useList("/admin/users", asked);
  const save = () => api.download("/admin/users", { query: { ...asked, format: "csv" } });
  const made = (user) => {
    toast.ok(t("admin.users.invited", { email: user.email }));
    navigate(`/admin/users/${user.id}`);
  };
  const create = html`<${Button} kind="main" icon="plus" onClick=${() => setQuery({ new: 1 })}>
    ${t("admin.users.new")}
  <//>`;
  return html`<${Page}
    title=${t("admin.users.title")}
    about=${t("admin.users.about")}
    actions=${html`<${CSVButton} save=${save} />${mayChange && create}`}
  >
    <${Card} flush>
      <${Filters} names=${filters}>
        <${FilterText} name="q" label=${t("admin.users.search")} />
        <${FilterSelect} name="role" label=${t("admin.user.role")} any=${t("admin.users.anyRole")} options=${roles()} />
        <${FilterSelect}
          name="active"
          label=${t("keys.state")}
          any=${t("admin.anyState")}
          options=${[
            { value: "true", label: t("admin.user.active") },
            { value: "false", label: t("admin.user.inactive") },
          ]}
        />
        <${FilterSelect}
          name="plan"
          label=${t("admin.plan")}
          any=${t("admin.anyPlan")}
          options=${plans.map((plan) => ({ value: plan.slug, label: plan.name }))}
        />
        <${FilterSelect}
          name="sort"
          label=${t("admin.users.order")}
          options=${orders.map((value) => ({ value, label: t(`admin.users.order.${value}`) }))}
        />
      <//>
      <${ListTable}
        list=${list}
        label=${t("admin.users.title")}
        columns=${columns()}
        empty=${html`<${EmptyState} icon="users" title=${t("admin.users.none")} text=${t("admin.noneText")} />`}
      />
    <//>
    ${mayChange && query.has("new") && html`<${NewUser} onClose=${() => setQuery({ new: null })} onMade=${made} />`}
  <//>`;
}
