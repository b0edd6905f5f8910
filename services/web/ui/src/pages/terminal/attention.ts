/// When somebody last did something at the terminal. What a terminal sends does not tell: it answers programs by itself.

type Place = Pick<HTMLElement, "addEventListener" | "removeEventListener">;

const DONE = ["keydown", "pointerdown", "paste"] as const;

export class Attention {
  #at = Number.NEGATIVE_INFINITY;

  constructor(
    readonly place: Place,
    readonly now: () => number,
  ) {
    // Before xterm.js, which keeps some of them to itself.
    for (const kind of DONE) place.addEventListener(kind, this.#done, { capture: true });
  }

  /// Somebody did something at a part of the page that is elsewhere.
  note(): void {
    this.#at = this.now();
  }

  /// Whether it was within so many milliseconds.
  within(ms: number): boolean {
    return this.now() - this.#at < ms;
  }

  close(): void {
    for (const kind of DONE) this.place.removeEventListener(kind, this.#done, { capture: true });
  }

  /// What a script dispatches is done by nobody.
  readonly #done = (event: Event) => {
    if (event.isTrusted) this.note();
  };
}
