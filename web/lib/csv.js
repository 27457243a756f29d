import { api, saveFile } from "./api.js";

/** Rows that are asked for at one time: as many as the server gives. */
const pageRows = 200;

/** A file of 100,000 rows is made in memory; more is the server's to write. */
const pagesMax = 500;

/** What a spreadsheet would reckon out, as the server knows it (CSV.swift): also full-width signs. */
const formula = /^[=+\-@＝＋－＠\p{Cc}]/u;

function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = formula.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** RFC 4180, with a head. @param {string[]} columns @param {object[]} rows */
export function csv(columns, rows) {
  const lines = [columns, ...rows.map((row) => columns.map((name) => row[name]))];
  return `${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

/**
 * The whole of a list that the server has no file of.
 * @param {string} path
 * @param {{query?: object, columns: string[], name: string}} what
 */
export async function saveList(path, { query, columns, name }) {
  const rows = [];
  let cursor = null;
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const page = await api.get(path, { query: { ...query, limit: pageRows, cursor } });
    rows.push(...page.items);
    cursor = page.next_cursor;
    if (!cursor) break;
  }
  const day = new Date().toISOString().slice(0, 10);
  saveFile(new Blob([csv(columns, rows)], { type: "text/csv" }), `gatehouse-${name}-${day}.csv`);
}
