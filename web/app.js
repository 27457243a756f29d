import { html, render } from "preact";
import { Shell } from "./components/Shell.js";
import { resume } from "./lib/api.js";
import { startLanguage } from "./lib/i18n.js";
import { startRouter } from "./lib/router.js";

startRouter();
const resumed = resume();
await startLanguage();
const app = document.getElementById("app");
// What index.html paints until then.
app.replaceChildren();
render(html`<${Shell} />`, app);
await resumed;
