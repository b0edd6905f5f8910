/// Where the keyboard is: whether it may be taken into the terminal, and whether it was there when what had it went away.

/// Whether keys go nowhere else than to the page as such, or to the terminal's own panel.
export function isFree(active: Element | null, panel: Element | null): boolean {
  if (active === null || active === document.body || active.matches("main")) return true;
  return panel?.contains(active) === true;
}

export class Focus {
  /// Whether it was within the panel when it was last anywhere.
  #isInside = false;

  /// To be called before each change of what is shown: a browser gives what is removed or hidden no focus any more.
  note(panel: Element | null): void {
    const active = document.activeElement;
    if (active !== null && active !== document.body) this.#isInside = panel?.contains(active) === true;
  }

  /// Goes to the first thing to do in what is now shown in place of the screen, where the keyboard was in the panel.
  enter(panel: Element | null): void {
    const card = panel?.querySelector(".terminal-aside");
    if (!card || !this.#isInside || card.contains(document.activeElement)) return;
    if (!isFree(document.activeElement, panel)) return;
    const first = card.querySelector<HTMLElement>("input") ?? card.querySelector<HTMLElement>("button.primary");
    first?.focus();
  }
}
