import { api } from "../../../lib/api.js";
import { useResource } from "../../../lib/resource.js";

/** Every plan, archived ones too, for choosing one by its name; none while they are loaded. */
export function usePlans() {
  const load = (signal) => api.get("/admin/plans", { query: { limit: 200 }, signal });
  return useResource(load, []).data?.items ?? [];
}

/** Those that can be given to somebody. */
export function livePlans(plans) {
  return plans
    .filter((plan) => !plan.archived_at)
    .map((plan) => ({ value: plan.slug, label: plan.name }));
}
