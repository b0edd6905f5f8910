import { computed, signal } from "@preact/signals";

/// Time for which a notice is shown.
export const NOTICE_MS = 8_000;

/// What the page has to say besides the state of the connection, one thing at a time.
export class Notices {
  readonly #passing = signal("");
  readonly #urgent = signal("");
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly shown = computed(() => this.#passing.value || this.#urgent.value);

  /// What is urgent stays until it is settled; something else may stand in its place for a while.
  say(text: string, isUrgent: boolean): void {
    this.#pass(isUrgent ? "" : text);
    if (isUrgent) this.#urgent.value = text;
  }

  /// What was urgent is so no more.
  settle(): void {
    this.#urgent.value = "";
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #pass(text: string): void {
    clearTimeout(this.#timer);
    this.#passing.value = text;
    if (text !== "") this.#timer = setTimeout(() => this.#pass(""), NOTICE_MS);
  }
}
