import { html, useEffect, useState } from "preact";
import { signOut } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { attempt } from "../lib/notices.js";
import { navigate } from "../lib/router.js";
import { isFor, pages } from "../pages.js";
import { Brand } from "./Brand.js";
import { Button } from "./Button.js";
import { Icon } from "./Icon.js";
import { Preferences } from "./Preferences.js";

function isHere(entry, path) {
  if (entry.path === path) return true;
  // A user's page is still among the users; the two overviews have nothing below them.
  return entry.path !== "/" && entry.path !== "/admin" && path.startsWith(`${entry.path}/`);
}

function Links({ entries, path }) {
  return html`<ul class="grid gap-0.5">
    ${entries.map((entry) => {
      const here = isHere(entry, path);
      return html`<li key=${entry.path}>
        <a
          href=${entry.path}
          aria-current=${here ? "page" : undefined}
          class=${`flex items-center gap-3 rounded-lg px-3 py-2 text-sm font-medium ${here ? "bg-accent-soft text-accent" : "text-muted hover:bg-sunken hover:text-ink"}`}
        >
          <${Icon} name=${entry.icon} />${t(entry.title)}
        </a>
      </li>`;
    })}
  </ul>`;
}

async function leave() {
  if (await attempt(signOut)) navigate("/sign-in");
}

/** The menu: a column at the side, or behind a button where there is no room. */
export function Navbar({ path, user }) {
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  const shown = pages.filter((entry) => entry.icon && isFor(entry.access, user.role));
  const own = shown.filter((entry) => !entry.path.startsWith("/admin"));
  const admin = shown.filter((entry) => entry.path.startsWith("/admin"));
  return html`<header
    class="sticky top-0 z-40 border-b border-line bg-surface lg:h-dvh lg:border-r lg:border-b-0"
    onKeyDown=${(event) => event.key === "Escape" && setOpen(false)}
  >
    <div class="flex h-14 items-center justify-between px-4 lg:h-16 lg:px-5">
      <a href="/" class="rounded-lg"><${Brand} /></a>
      <button
        type="button"
        class="rounded-lg p-2 text-muted hover:bg-sunken lg:hidden"
        aria-expanded=${open ? "true" : "false"}
        aria-controls="menu"
        aria-label=${t("nav.menu")}
        onClick=${() => setOpen(!open)}
      >
        <${Icon} name=${open ? "close" : "menu"} size=${22} />
      </button>
    </div>
    <div
      id="menu"
      class=${`${open ? "flex" : "hidden"} max-h-[calc(100dvh-3.5rem)] flex-col overflow-y-auto border-t border-line px-3 py-3 lg:flex lg:h-[calc(100dvh-4rem)] lg:max-h-none lg:border-t-0 lg:pt-1`}
    >
      <nav aria-label=${t("nav.label")} class="grid gap-5">
        <${Links} entries=${own} path=${path} />
        ${
          admin.length > 0 &&
          html`<div>
          <p class="mb-1.5 px-3 text-xs font-medium text-muted">${t("nav.admin")}</p>
          <${Links} entries=${admin} path=${path} />
        </div>`
        }
      </nav>
      <div class="mt-6 grid grid-cols-[minmax(0,1fr)] gap-3 border-t border-line px-2 pt-4 lg:mt-auto">
        <${Preferences} />
        <div class="flex items-center justify-between gap-2">
          <div class="min-w-0 text-sm">
            ${user.name && html`<p class="truncate font-medium">${user.name}</p>`}
            <p class="truncate text-muted" title=${user.email}>${user.email}</p>
          </div>
          <${Button} kind="quiet" small icon="leave" label=${t("nav.signOut")} onClick=${leave} />
        </div>
      </div>
    </div>
  </header>`;
}
