import type { ComponentChildren } from "preact";

export interface Column {
  name: string;
  class?: string;
}

/// A table with a caption for those who hear it, in a region that scrolls sideways where it must.
export function Table({
  caption,
  columns,
  children,
}: {
  caption: string;
  columns: Column[];
  children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.name} scope="col" class={column.class}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

interface PagerProps {
  page: number;
  rows: number;
  next: string | undefined;
  /// Goes so many pages on: 1 or -1.
  turn: (by: 1 | -1) => void;
  /// One of the rows, in words.
  what: string;
}

/// Newer and older pages.
export const Pager = ({ page, rows, next, turn, what }: PagerProps) => (
  <nav class="pager" aria-label={`pages of ${what}s`}>
    <button type="button" disabled={page === 0} onClick={() => turn(-1)}>
      ← Newer
    </button>
    <span class="muted" role="status">
      page {page + 1} · {rows} {rows === 1 ? what : `${what}s`}
    </span>
    <button type="button" disabled={next === undefined} onClick={() => turn(1)}>
      Older →
    </button>
  </nav>
);
