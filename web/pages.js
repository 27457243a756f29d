import { Account } from "./pages/Account.js";
import { ForgotPassword } from "./pages/ForgotPassword.js";
import { Keys } from "./pages/Keys.js";
import { Overview } from "./pages/Overview.js";
import { Plans } from "./pages/Plans.js";
import { Register } from "./pages/Register.js";
import { ResetPassword } from "./pages/ResetPassword.js";
import { Sessions } from "./pages/Sessions.js";
import { Setup } from "./pages/Setup.js";
import { SignIn } from "./pages/SignIn.js";
import { Usage } from "./pages/Usage.js";
import { VerifyEmail } from "./pages/VerifyEmail.js";

/**
 * A page of the console.
 * @typedef {object} PageEntry
 * @property {string} path with parameters such as `:id`, which the component gets as `params`
 * @property {string} title a key of lang/, for the browser's title and the menu
 * @property {"open" | "stranger" | "user" | "staff" | "admin"} access `stranger`: of no use to who
 *   is signed in; `staff`: support and admins. What a page may show, its calls decide
 * @property {string} [icon] it stands in the menu
 * @property {Function} [component]
 * @property {() => Promise<Function>} [load] in place of `component`: comes when it is opened
 */

/** A page of pages/admin/, in a file that only who opens it loads. */
const admin = (name) => async () => (await import("./pages/admin/index.js"))[name];

/** Every page there is. The server answers these paths: Appliance.consolePaths. */
/** @type {PageEntry[]} */
export const pages = [
  { path: "/sign-in", title: "signIn.title", access: "stranger", component: SignIn },
  { path: "/register", title: "register.title", access: "stranger", component: Register },
  {
    path: "/forgot-password",
    title: "forgot.title",
    access: "stranger",
    component: ForgotPassword,
  },
  { path: "/reset-password", title: "reset.title", access: "open", component: ResetPassword },
  { path: "/verify-email", title: "verify.title", access: "open", component: VerifyEmail },
  { path: "/setup", title: "setup.title", access: "open", component: Setup },

  { path: "/", title: "overview.title", access: "user", icon: "overview", component: Overview },
  { path: "/usage", title: "usage.title", access: "user", icon: "usage", component: Usage },
  { path: "/keys", title: "keys.title", access: "user", icon: "key", component: Keys },
  { path: "/plans", title: "plans.title", access: "user", icon: "plan", component: Plans },
  {
    path: "/sessions",
    title: "sessions.title",
    access: "user",
    icon: "session",
    component: Sessions,
  },
  { path: "/account", title: "account.title", access: "user", icon: "account", component: Account },

  {
    path: "/admin",
    title: "admin.overview.title",
    access: "staff",
    icon: "shield",
    load: admin("Overview"),
  },
  {
    path: "/admin/users",
    title: "admin.users.title",
    access: "staff",
    icon: "users",
    load: admin("Users"),
  },
  {
    path: "/admin/users/:id",
    title: "admin.user.title",
    access: "staff",
    load: admin("User"),
  },
  {
    path: "/admin/subscriptions",
    title: "admin.subscriptions.title",
    access: "staff",
    icon: "card",
    load: admin("Subscriptions"),
  },
  {
    path: "/admin/plans",
    title: "admin.plans.title",
    access: "staff",
    icon: "plan",
    load: admin("Plans"),
  },
  {
    path: "/admin/usage",
    title: "admin.usage.title",
    access: "staff",
    icon: "usage",
    load: admin("Usage"),
  },
  {
    path: "/admin/api-keys",
    title: "admin.keys.title",
    access: "staff",
    icon: "key",
    load: admin("Keys"),
  },
  {
    path: "/admin/audit",
    title: "admin.audit.title",
    access: "staff",
    icon: "list",
    load: admin("Audit"),
  },
  {
    path: "/admin/jobs",
    title: "admin.jobs.title",
    access: "staff",
    icon: "clock",
    load: admin("Jobs"),
  },
  {
    path: "/admin/backups",
    title: "admin.backups.title",
    access: "staff",
    icon: "archive",
    load: admin("Backups"),
  },
];

/** Whether a page is for somebody of this role. */
export function isFor(access, role) {
  if (access === "admin") return role === "admin";
  if (access === "staff") return role === "admin" || role === "support";
  return true;
}
