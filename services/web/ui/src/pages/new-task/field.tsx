import { useId } from "preact/hooks";
import type { FieldError } from "../../api/types";
import { line } from "../../look/text";
import { type Draft, errorsOf, type Field } from "./draft";

interface InputProps {
  field: Field;
  label: string;
  help?: string;
  draft: Draft;
  errors: FieldError[];
  /// Whether errors are told: not before anything was written into the field.
  tells: boolean;
  write: (field: Field, text: string) => void;
  kind?: "text" | "number" | "datetime-local" | "area";
  list?: string[];
}

/// A field with its label, its help and what is wrong with it.
export function Input({ field, label, help, draft, errors, tells, write, kind = "text", list }: InputProps) {
  const id = useId();
  const wrong = tells ? errorsOf(field, errors) : [];
  const common = {
    id,
    name: field,
    value: draft[field],
    spellcheck: false,
    autocomplete: "off" as const,
    "aria-invalid": wrong.length > 0,
    "aria-describedby": `${id}-help ${id}-error`,
    onInput: (event: Event & { currentTarget: HTMLInputElement | HTMLTextAreaElement }) =>
      write(field, event.currentTarget.value),
  };
  return (
    <div class={`field field-${kind}`}>
      <label for={id}>{label}</label>
      {kind === "area" ? (
        <textarea {...common} class="mono" rows={field === "payload" ? 8 : 4} />
      ) : (
        <input
          {...common}
          type={kind === "datetime-local" ? kind : "text"}
          inputMode={kind === "number" ? "numeric" : undefined}
          list={list && `${id}-list`}
        />
      )}
      {list && (
        <datalist id={`${id}-list`}>
          {list.map((value) => (
            <option key={value} value={value} />
          ))}
        </datalist>
      )}
      <p id={`${id}-help`} class="help muted">
        {help}
      </p>
      <p id={`${id}-error`} class="field-error" role="status">
        {wrong.map(line).join("; ")}
      </p>
    </div>
  );
}
