import { useEffect, useState } from "preact";

/**
 * A value that components follow: `get`, `set`, `subscribe`.
 * @template T
 * @param {T} initial
 */
export function store(initial) {
  let value = initial;
  const followers = new Set();
  return {
    get: () => value,
    /** @param {T} next */
    set(next) {
      if (next === value) return;
      value = next;
      for (const follower of [...followers]) follower(value);
    },
    /** @param {(value: T) => void} follower */
    subscribe(follower) {
      followers.add(follower);
      return () => followers.delete(follower);
    },
  };
}

/** The value of a store; the component is drawn again when it changes. */
export function useStore(source) {
  const [value, setValue] = useState(source.get());
  useEffect(() => {
    setValue(source.get());
    return source.subscribe(setValue);
  }, [source]);
  return value;
}
