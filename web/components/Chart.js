import { html, useEffect, useRef, useState } from "preact";
import { number } from "../lib/format.js";
import { language, locale } from "../lib/i18n.js";
import { useStore } from "../lib/store.js";
import { shade } from "../lib/theme.js";

/** The library is as large as all the rest: it comes when the first chart is drawn. */
const library = () => import("chart.js").then((module) => module.default ?? module);

/** A colour of the theme as the canvas takes it. */
function colour(element, name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  element.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

const tones = ["accent", "warn", "danger", "muted"];

function settings(element, { type, labels, series }) {
  const line = colour(element, "line");
  const muted = colour(element, "muted");
  const compact = new Intl.NumberFormat(locale(), {
    notation: "compact",
    maximumFractionDigits: 1,
  });
  return {
    type,
    data: {
      labels,
      datasets: series.map(({ name, values }, index) => {
        const tone = colour(element, tones[index % tones.length]);
        return {
          label: name,
          data: values,
          backgroundColor: tone,
          borderColor: tone,
          borderWidth: type === "line" ? 2 : 0,
          borderRadius: 3,
          maxBarThickness: 28,
          pointRadius: 0,
          pointHitRadius: 12,
          tension: 0.3,
        };
      }),
    },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: {
          display: series.length > 1,
          align: "end",
          labels: { color: muted, boxWidth: 10, boxHeight: 10 },
        },
        tooltip: {
          displayColors: series.length > 1,
          callbacks: { label: (item) => ` ${item.dataset.label}: ${number(item.parsed.y)}` },
        },
      },
      scales: {
        x: {
          grid: { display: false },
          border: { color: line },
          ticks: { color: muted, maxRotation: 0, autoSkipPadding: 16 },
        },
        y: {
          beginAtZero: true,
          grid: { color: line },
          border: { display: false },
          ticks: {
            color: muted,
            precision: 0,
            maxTicksLimit: 6,
            callback: (value) => compact.format(value),
          },
        },
      },
    },
  };
}

/**
 * Values over time.
 * @param {object} props
 * @param {"bar" | "line"} [props.type]
 * @param {string} props.label what the chart shows, for those who do not see it
 * @param {string[]} props.labels of the axis, one for each value
 * @param {{name: string, values: number[]}[]} props.series
 */
export function Chart({ type = "bar", label, labels, series }) {
  const canvas = useRef(null);
  const [ready, setReady] = useState(null);
  const tag = useStore(language);
  const shown = useStore(shade);
  const content = JSON.stringify([labels, series]);
  useEffect(() => {
    let gone = false;
    library().then((loaded) => !gone && setReady(() => loaded));
    return () => {
      gone = true;
    };
  }, []);
  useEffect(() => {
    if (!ready) return undefined;
    const holder = canvas.current.parentElement;
    ready.defaults.font.family = getComputedStyle(holder).fontFamily;
    const chart = new ready(canvas.current, settings(holder, { type, labels, series }));
    return () => chart.destroy();
  }, [ready, type, content, tag, shown]);
  return html`<figure class="relative">
    <div class=${`relative h-64 ${ready ? "" : "skeleton"}`}>
      <canvas ref=${canvas} role="img" aria-label=${label}></canvas>
    </div>
    <div class="sr-only"><table>
      <caption>${label}</caption>
      <thead>
        <tr><td></td>${series.map(({ name }) => html`<th key=${name} scope="col">${name}</th>`)}</tr>
      </thead>
      <tbody>
        ${labels.map(
          (text, index) => html`<tr key=${index}>
            <th scope="row">${text}</th>
            ${series.map(({ name, values }) => html`<td key=${name}>${number(values[index])}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table></div>
  </figure>`;
}
