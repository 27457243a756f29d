import { useCallback, useEffect, useRef, useState } from "preact";
import { api } from "./api.js";

/**
 * Something that is loaded: `data`, `error`, `loading`, and `reload()`. What was there stays while
 * it is loaded again.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {unknown[]} inputs it is loaded again when one of them changes
 */
export function useResource(load, inputs) {
  const [state, setState] = useState({ data: null, error: null, loading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const abort = new AbortController();
    setState((before) => ({ ...before, error: null, loading: true }));
    latest.current(abort.signal).then(
      (data) => !abort.signal.aborted && setState({ data, error: null, loading: false }),
      (error) =>
        !abort.signal.aborted && setState((before) => ({ ...before, error, loading: false })),
    );
    return () => abort.abort();
  }, [...inputs, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  return { ...state, reload };
}

/**
 * A list of the API, page by page: `items`, `error`, `loading`, `more()` while there is more.
 * @param {string} path
 * @param {Record<string, unknown>} [query]
 */
export function useList(path, query = {}) {
  const empty = { items: [], cursor: null, error: null, loading: true, loaded: false };
  const [state, setState] = useState(empty);
  const [turn, setTurn] = useState(0);
  const running = useRef(null);
  const key = JSON.stringify([path, query]);

  const load = (cursor) => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    setState((before) => ({ ...before, error: null, loading: true }));
    api.get(path, { query: { ...query, cursor }, signal: abort.signal }).then(
      (page) => {
        if (abort.signal.aborted) return;
        setState((before) => ({
          items: cursor ? [...before.items, ...page.items] : page.items,
          cursor: page.next_cursor,
          error: null,
          loading: false,
          loaded: true,
        }));
      },
      (error) =>
        !abort.signal.aborted && setState((before) => ({ ...before, error, loading: false })),
    );
    return () => abort.abort();
  };

  useEffect(() => load(null), [key, turn]);
  const { cursor, ...rest } = state;
  return {
    ...rest,
    more: cursor ? () => load(cursor) : null,
    reload: useCallback(() => setTurn((before) => before + 1), []),
  };
}
