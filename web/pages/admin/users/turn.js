import { useEffect } from "preact";

/** Loads a list again whenever something on its page was changed, which `turn` counts. */
export function useTurn(list, turn) {
  useEffect(() => {
    if (turn > 0) list.reload();
  }, [turn]);
}
