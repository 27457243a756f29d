import { html } from "preact";
import { t } from "../lib/i18n.js";
import { Button } from "./Button.js";
import { ErrorState, Skeleton } from "./States.js";

/**
 * A list as a table; on a phone each row is a card with its labels.
 * @param {object} props
 * @param {string} props.label what the table lists, for those who hear it
 * @param {{key: string, label: string, cell?: (row: any) => unknown, end?: boolean, hidden?: boolean}[]} props.columns
 *   `end` aligns numbers; `hidden` keeps the label to screen readers, as for buttons
 * @param {object[]} props.rows
 * @param {(row: any) => string} [props.rowKey]
 * @param {unknown} props.empty shown when there are no rows
 */
export function Table({ label, columns, rows, rowKey = (row) => row.id, empty }) {
  if (rows.length === 0) return empty;
  const align = (column) => (column.end ? "sm:text-right" : "");
  return html`<table role="table" aria-label=${label} class="block w-full text-sm sm:table">
    <thead role="rowgroup" class="sr-only sm:not-sr-only sm:table-header-group">
      <tr role="row" class="sm:table-row">
        ${columns.map(
          (column) => html`<th
            key=${column.key}
            role="columnheader"
            scope="col"
            class=${`border-b border-line px-3 py-2 text-left text-xs font-medium text-muted first:pl-5 last:pr-5 ${align(column)}`}
          >
            ${column.hidden ? html`<span class="sr-only">${column.label}</span>` : column.label}
          </th>`,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup" class="block sm:table-row-group">
      ${rows.map(
        (row) => html`<tr
          key=${rowKey(row)}
          role="row"
          class="block border-b border-line px-5 py-3 last:border-b-0 sm:table-row"
        >
          ${columns.map(
            (column) => html`<td
              key=${column.key}
              role="cell"
              class=${`flex items-baseline justify-between gap-4 py-1 sm:table-cell sm:border-b sm:border-line sm:px-3 sm:py-3 sm:align-middle sm:[tr:last-child>&]:border-b-0 sm:first:pl-5 sm:last:pr-5 ${align(column)}`}
            >
              ${
                !column.hidden &&
                html`<span class="shrink-0 text-xs text-muted sm:hidden" aria-hidden="true"
                >${column.label}</span
              >`
              }
              <span class=${`min-w-0 ${column.hidden ? "ml-auto" : ""}`}
                >${column.cell ? column.cell(row) : row[column.key]}</span
              >
            </td>`,
          )}
        </tr>`,
      )}
    </tbody>
  </table>`;
}

/**
 * A list of the API in a table: its states, and a button for more.
 * @param {{list: ReturnType<typeof import("../lib/resource.js").useList>}} props and those of Table
 */
export function ListTable({ list, ...table }) {
  if (!list.loaded && list.error) {
    return html`<${ErrorState} error=${list.error} retry=${list.reload} />`;
  }
  if (!list.loaded) return html`<div class="px-5 pb-5"><${Skeleton} lines=${5} /></div>`;
  return html`<div aria-busy=${list.loading ? "true" : undefined}>
    <${Table} ...${table} rows=${list.items} />
    ${list.error && html`<${ErrorState} error=${list.error} retry=${list.reload} />`}
    ${
      list.more &&
      html`<div class="border-t border-line p-3 text-center">
      <${Button} kind="quiet" busy=${list.loading} onClick=${list.more}>${t("action.more")}<//>
    </div>`
    }
  </div>`;
}
