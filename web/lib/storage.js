// What a browser remembers between visits; a browser that keeps nothing is no error.

/** @param {string} key */
export function recall(key) {
  try {
    return localStorage.getItem(`gatehouse.${key}`);
  } catch {
    return null;
  }
}

/**
 * @param {string} key
 * @param {string | null} value null forgets it
 */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(`gatehouse.${key}`);
    else localStorage.setItem(`gatehouse.${key}`, value);
  } catch {
    // It holds until the page is left.
  }
}
