import { html } from "preact";

/** Strokes on a grid of 20, drawn for this console. */
const shapes = {
  overview: "M3 9.5 10 4l7 5.5V16a1 1 0 0 1-1 1h-4v-5H8v5H4a1 1 0 0 1-1-1Z",
  usage: "M3 17h14M5.5 14V9M10 14V4M14.5 14v-3.5",
  key: "M12.5 11.5a4 4 0 1 0-3.6-2.3L3 15v2h3v-2h2v-2h1.6l1.3-1.3c.5.2 1 .3 1.6.3ZM13.5 7.5h.01",
  plan: "M10 3 3 6.5l7 3.5 7-3.5L10 3ZM3 10l7 3.5 7-3.5M3 13.5 10 17l7-3.5",
  session: "M4 4h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1ZM7 17h6M10 13v4",
  account:
    "M10 10a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5ZM3.5 17c.6-3.2 3.2-4.8 6.500-4.800s5.900 1.600 6.500 4.800",
  shield: "M10 3 4 5.200v4.600c0 3.400 2.500 6 6 7.200 3.500-1.200 6-3.800 6-7.200V5.200L10 3Z",
  users:
    "M8 9.500a2.750 2.750 0 1 0 0-5.500 2.750 2.750 0 0 0 0 5.500ZM2.500 16c.500-2.700 2.700-4 5.500-4s5 1.300 5.500 4M13.200 4.300a2.750 2.750 0 0 1 0 5M15 12.300c1.400.6 2.300 1.800 2.500 3.700",
  list: "M7 5.500h10M7 10h10M7 14.500h10M3.500 5.500h.01M3.500 10h.01M3.500 14.500h.01",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM10 6v4l2.500 2",
  archive: "M3 4h14v3.500H3ZM4 7.500V16h12V7.500M8 11h4",
  copy: "M7 7h9v9H7ZM13 7V4H4v9h3",
  check: "m4 10.500 4 4 8-9",
  close: "m5 5 10 10M15 5 5 15",
  menu: "M3 6h14M3 10h14M3 14h14",
  plus: "M10 4v12M4 10h12",
  chevron: "m6 8 4 4 4-4",
  leave: "M12 4h4v12h-4M11 10H3M6 7l-3 3 3 3",
  sun: "M10 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM10 2.500v1.500M10 16v1.500M2.500 10H4M16 10h1.500M4.700 4.700l1 1M14.300 14.300l1 1M15.300 4.700l-1 1M5.700 14.300l-1 1",
  moon: "M16 11.500A6.500 6.500 0 0 1 8.500 4a6.500 6.500 0 1 0 7.500 7.500Z",
  device: "M6 3h8a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1ZM9 14.500h2",
  warn: "M10 4 2.500 16.500h15L10 4ZM10 9v3.500M10 14.600h.01",
  download: "M10 3v9M6.500 8.500 10 12l3.500-3.500M4 16h12",
  refresh:
    "M16 6v3.500h-3.500M4 14v-3.500h3.500M15.500 9.500A5.800 5.800 0 0 0 5 7.500M4.500 10.500A5.800 5.800 0 0 0 15 12.500",
  search: "M9 14.500a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11ZM13 13l4 4",
  language:
    "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM3 10h14M10 3c2 2 3 4.300 3 7s-1 5-3 7c-2-2-3-4.300-3-7s1-5 3-7Z",
  card: "M3 5h14v10H3ZM3 8.500h14M6 12h3",
  pencil: "m12.500 4.500 3 3L7 16l-3.500.500L4 13ZM11 6l3 3",
  mail: "M3 5h14v10H3ZM3.500 5.500 10 11l6.500-5.500",
};

/** Decoration: what a button does is said by its words. @param {{name: keyof typeof shapes, size?: number}} props */
export function Icon({ name, size = 18 }) {
  return html`<svg
    width=${size}
    height=${size}
    viewBox="0 0 20 20"
    fill="none"
    stroke="currentColor"
    stroke-width="1.6"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
    class="shrink-0"
  >
    <path d=${shapes[name]} />
  </svg>`;
}
