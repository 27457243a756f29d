import { recall, remember } from "./storage.js";
import { store } from "./store.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** What the reader chose; `system` follows the device. */
export const themes = ["system", "light", "dark"];
export const theme = store(recall("theme") ?? "system");

/** What is shown: changes with the choice and with the device. */
export const shade = store(shown());

function shown() {
  if (theme.get() !== "system") return theme.get();
  return dark.matches ? "dark" : "light";
}

/** @param {"system" | "light" | "dark"} choice */
export function chooseTheme(choice) {
  remember("theme", choice === "system" ? null : choice);
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  theme.set(choice);
  shade.set(shown());
}

dark.addEventListener("change", () => shade.set(shown()));
