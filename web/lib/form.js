import { useRef, useState } from "preact";
import { describe, describeField, Problem } from "./problem.js";

/**
 * The state of a form: what was typed, what the server said of it, whether it is being sent.
 * @param {object} options
 * @param {Record<string, unknown>} options.initial
 * @param {(values: Record<string, any>) => Promise<unknown>} options.submit throws a `Problem`
 */
export function useForm({ initial, submit }) {
  const [values, setValues] = useState(initial);
  const [errors, setErrors] = useState({});
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  const element = useRef(null);

  const set = (name, value) => {
    setValues((before) => ({ ...before, [name]: value }));
    setErrors(({ [name]: _, ...others }) => others);
  };

  const refuse = (error) => {
    if (!(error instanceof Problem)) console.error(error);
    const found = {};
    // `limits.max_items` is shown at `limits` when the form has no field of its own for it.
    for (const entry of error.errors ?? []) {
      const name = entry.field in values ? entry.field : entry.field.split(/[.[]/)[0];
      found[name] ??= describeField(entry);
    }
    const known = Object.keys(found).filter((name) => name in values);
    setErrors(found);
    setFailure(known.length > 0 ? "" : [describe(error), ...Object.values(found)].join(" "));
    // After the fields have been drawn with their errors.
    requestAnimationFrame(() => element.current?.querySelector("[aria-invalid=true]")?.focus());
  };

  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailure("");
    setErrors({});
    try {
      await submit(values);
    } catch (error) {
      refuse(error);
    } finally {
      setBusy(false);
    }
  };

  return {
    values,
    errors,
    failure,
    busy,
    set,
    setFailure,
    reset: () => setValues(initial),
    /** The form element's own. */
    form: { ref: element, onSubmit, noValidate: true },
    /** A field's: `<${Field} ...${form.field("email")} label=… />`. */
    field: (name) => ({
      name,
      value: values[name],
      error: errors[name],
      onValue: (value) => set(name, value),
    }),
  };
}
