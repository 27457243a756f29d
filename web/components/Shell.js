import { html, useEffect, useErrorBoundary, useRef, useState } from "preact";
import { language, t } from "../lib/i18n.js";
import { match, navigate, usePlace } from "../lib/router.js";
import { isHeldBack, session } from "../lib/session.js";
import { useStore } from "../lib/store.js";
import { EnrolFirst } from "../pages/EnrolFirst.js";
import { NotFound } from "../pages/NotFound.js";
import { SignIn } from "../pages/SignIn.js";
import { isFor, pages } from "../pages.js";
import { Confirm } from "./Confirm.js";
import { Navbar } from "./Navbar.js";
import { Page } from "./Page.js";
import { SignInAgain } from "./SignInAgain.js";
import { ErrorState, Skeleton } from "./States.js";
import { Toasts } from "./Toast.js";

function find(path) {
  for (const page of pages) {
    const params = match(page.path, path);
    if (params) return { page, params };
  }
  return {
    page: { path, title: "notFound.title", access: "anybody", component: NotFound },
    params: {},
  };
}

/**
 * Who may see the page: a stranger at a page of users is asked to sign in right there, and is then
 * where they wanted to go. No address is handed on, so none can lead astray.
 */
function guarded(page, who) {
  const { status, user } = who;
  if (page.access === "open" || page.access === "anybody") return page;
  if (status === "unknown") return null;
  if (page.access === "stranger") return page;
  if (!user) return { ...page, load: undefined, title: "signIn.title", component: SignIn };
  if (isHeldBack(who) && page.path !== "/account") {
    return { ...page, load: undefined, title: "enrol.title", component: EnrolFirst };
  }
  if (isFor(page.access, user.role)) return page;
  return { ...page, load: undefined, title: "notFound.title", component: NotFound };
}

/** The component of a page; one that comes when it is opened is loaded first. */
function Body({ page, params }) {
  const [late, setLate] = useState({ page: null, component: null, error: null });
  const [error, forgive] = useErrorBoundary((thrown) => console.error(thrown));
  const load = () =>
    page.load().then(
      (component) => setLate({ page, component, error: null }),
      (thrown) => setLate({ page, component: null, error: thrown }),
    );
  useEffect(() => {
    if (error) forgive();
    if (page.load) load();
  }, [page.path, page.load]);
  const failure = error ?? (late.page === page ? late.error : null);
  if (failure) {
    return html`<${Page} title=${t(page.title)}>
      <${ErrorState} error=${failure} retry=${() => location.reload()} />
    <//>`;
  }
  const component = page.component ?? (late.page === page ? late.component : null);
  if (!component) return html`<${Page} title=${t(page.title)}><${Skeleton} lines=${6} /><//>`;
  return html`<${component} params=${params} />`;
}

/** Everything that is on the screen. */
export function Shell() {
  const place = usePlace();
  const who = useStore(session);
  const tag = useStore(language);
  const main = useRef(null);
  const isFirst = useRef(true);
  const { page: wanted, params } = find(place.path);
  const page = guarded(wanted, who);

  useEffect(() => {
    if (wanted.access === "stranger" && who.status === "signed-in")
      navigate("/", { replace: true });
  }, [wanted.path, who.status]);

  useEffect(() => {
    document.title = page ? `${t(page.title)} · Gatehouse` : "Gatehouse";
    // A new page is told to who hears it: its heading takes the focus. The first is the browser's.
    if (!isFirst.current) main.current?.querySelector("h1")?.focus({ preventScroll: true });
    if (page) isFirst.current = false;
  }, [page?.title, place.path, tag]);

  const hasMenu = who.user && page && page.component !== SignIn && wanted.access !== "open";
  return html`<div key=${tag} class=${hasMenu ? "min-h-dvh lg:grid lg:grid-cols-[15.5rem_minmax(0,1fr)]" : "min-h-dvh"}>
    <a href="#main" data-outside class="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-lg focus:bg-surface focus:px-4 focus:py-2 focus:shadow-float">
      ${t("nav.skip")}
    </a>
    ${hasMenu && html`<${Navbar} path=${place.path} user=${who.user} />`}
    <main id="main" tabindex="-1" ref=${main} class="min-w-0 outline-none">
      ${
        page
          ? html`<${Body} key=${page.path} page=${page} params=${params} />`
          : html`<div class="mx-auto max-w-5xl p-8"><${Skeleton} lines=${6} /></div>`
      }
    </main>
    <${Confirm} /><${SignInAgain} /><${Toasts} />
  </div>`;
}
