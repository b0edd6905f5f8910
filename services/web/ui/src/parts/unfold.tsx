import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { shortId } from "../look/format";
import { line } from "../look/text";
import { to } from "../state/route";

interface UnfoldProps {
  /// The cells before that of the button.
  cells: ComponentChildren;
  /// Columns of the table, that of the button among them.
  width: number;
  /// What is shown on demand, and made only then.
  children: () => ComponentChildren;
}

/// A row of a table that shows the whole of it on demand.
export function Unfold({ cells, width, children }: UnfoldProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <tr>
        {cells}
        <td class="number">
          <button type="button" class="small" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? "hide" : "show"}
          </button>
        </td>
      </tr>
      {isOpen && (
        <tr class="opened">
          <td colSpan={width}>{children()}</td>
        </tr>
      )}
    </>
  );
}

/// The job that a row is about.
export const JobCell = ({ id }: { id: string | undefined }) => (
  <td>
    {id ? (
      <a class="mono" href={to(["jobs", id])} title={line(id)}>
        {line(shortId(id))}
      </a>
    ) : (
      <span class="muted">none</span>
    )}
  </td>
);
