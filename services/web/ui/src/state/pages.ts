/// Pages that are told by cursors: those that were seen are remembered, so that one can go back.

import { type ReadonlySignal, signal } from "@preact/signals";

export class Pages {
  readonly #cursors = signal<(string | undefined)[]>([undefined]);

  /// Number of the present page, from 0.
  get number(): number {
    return this.#cursors.value.length - 1;
  }

  /// What asks for it.
  get cursor(): string | undefined {
    return this.#cursors.value.at(-1);
  }

  get all(): ReadonlySignal<(string | undefined)[]> {
    return this.#cursors;
  }

  turn(by: 1 | -1, next: string | undefined): void {
    const cursors = this.#cursors.value;
    if (by === 1 && next !== undefined) this.#cursors.value = [...cursors, next];
    else if (by === -1 && cursors.length > 1) this.#cursors.value = cursors.slice(0, -1);
  }

  first(): void {
    this.#cursors.value = [undefined];
  }
}
