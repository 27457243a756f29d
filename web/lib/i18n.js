import en from "../lang/en/index.js";
import { recall, remember } from "./storage.js";
import { store } from "./store.js";

/** English is always there; another language is loaded when it is chosen. */
export const languages = {
  en: { name: "English", load: async () => en },
  vi: { name: "Tiếng Việt", load: async () => (await import("../lang/vi/index.js")).default },
};

let words = en;
export const language = store("en");

/** Before the first page is drawn: what was chosen here, or what the browser asks for. */
export async function startLanguage() {
  const asked = [recall("language"), ...(navigator.languages ?? [])]
    .map((tag) => tag?.slice(0, 2).toLowerCase())
    .find((tag) => tag in languages);
  await useWords(asked ?? "en");
}

export async function chooseLanguage(tag) {
  remember("language", tag);
  await useWords(tag);
}

async function useWords(tag) {
  words = await languages[tag].load();
  document.documentElement.lang = tag;
  language.set(tag);
}

/**
 * The words of a key; `{name}` in them stands for `values.name`.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values) {
  return filled(words[key] ?? en[key] ?? key, values);
}

function filled(text, values) {
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? number(value) : value;
  });
}

/** For a number of things: `key.one` or `key.other`, whatever the language tells apart. */
export function tn(key, count, values) {
  const form = new Intl.PluralRules(language.get()).select(count);
  const exact = `${key}.${form}`;
  return t(exact in words ? exact : `${key}.other`, { count, ...values });
}

/** Words that may be missing: what the server says in English needs no second English. */
export function translated(key, values) {
  return key in words ? filled(words[key], values) : null;
}

/** How the reader writes numbers and dates: as their region does, in the language of the page. */
export function locale() {
  const tag = language.get();
  return (navigator.languages ?? []).find((asked) => asked.slice(0, 2) === tag) ?? tag;
}

export function number(value) {
  return new Intl.NumberFormat(locale()).format(value);
}
