import { html, useState } from "preact";
import { attempt } from "../lib/notices.js";
import { Button } from "./Button.js";

/** Takes a list away as a file. @param {{save: () => Promise<void>}} props */
export function CSVButton({ save }) {
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    await attempt(save);
    setBusy(false);
  };
  return html`<${Button} icon="download" busy=${busy} onClick=${run}>CSV<//>`;
}
