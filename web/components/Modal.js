import { html, useEffect, useRef, useState } from "preact";
import { t } from "../lib/i18n.js";
import { Button } from "./Button.js";

/** One dialog may stand over another: each title has an id of its own. */
let titles = 0;

/**
 * A dialog over the page. The browser's own `<dialog>` holds the focus in it, closes it with
 * Escape, and gives the focus back to where it was.
 * @param {{title: string, onClose: () => void, wide?: boolean, fixed?: boolean}} props `fixed`: it
 *   closes by its own buttons only, for what is shown once
 */
export function Modal({ title, onClose, wide, fixed, children }) {
  const element = useRef(null);
  const [titleId] = useState(() => {
    titles += 1;
    return `dialog-title-${titles}`;
  });
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  const onCancel = (event) => {
    event.preventDefault();
    if (!fixed) onClose();
  };
  const onClick = (event) => {
    if (event.target === element.current && !fixed) onClose();
  };
  return html`<dialog
    ref=${element}
    onCancel=${onCancel}
    onClick=${onClick}
    aria-labelledby=${titleId}
    class=${`m-auto w-[calc(100vw-2rem)] rounded-xl border border-line bg-surface p-0 text-ink shadow-float ${wide ? "max-w-2xl" : "max-w-md"}`}
  >
    <div class="p-5 sm:p-6">
      <div class="mb-4 flex items-start justify-between gap-4">
        <h2 id=${titleId} class="min-w-0 text-lg font-semibold break-words">${title}</h2>
        ${
          !fixed &&
          html`<${Button}
          kind="quiet"
          small
          icon="close"
          label=${t("action.close")}
          class="-mt-1 -mr-2"
          onClick=${onClose}
        />`
        }
      </div>
      ${children}
    </div>
  </dialog>`;
}

/** The row of buttons at the end of a dialog or a form. */
export function Actions({ children }) {
  return html`<div class="mt-6 flex flex-wrap justify-end gap-2">${children}</div>`;
}
