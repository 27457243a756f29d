import { html } from "preact";
import { qrCode } from "../lib/qr.js";

/** A text for a phone's camera: dark on light in both themes, with the quiet edge it needs. */
export function QRCode({ text, label }) {
  const grid = qrCode(text);
  const size = grid.length + 8;
  const path = grid
    .flatMap((row, y) => row.map((cell, x) => (cell ? `M${x + 4} ${y + 4}h1v1h-1z` : "")))
    .join("");
  return html`<svg
    role="img"
    aria-label=${label}
    viewBox=${`0 0 ${size} ${size}`}
    shape-rendering="crispEdges"
    class="size-48 rounded-lg border border-line"
  >
    <rect width=${size} height=${size} fill="#fff" />
    <path d=${path} fill="#000" />
  </svg>`;
}
