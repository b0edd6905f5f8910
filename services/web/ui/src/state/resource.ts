/// Something that is asked for again and again, while somebody looks at it.

import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type ApiError, asApiError } from "../api/http";

/// Age from which an answer counts as old.
export const STALE_MS = 5_000;
/// What an answer may be late without being called old.
const MARGIN_MS = 3_000;
const LONGEST_PAUSE_MS = 15_000;

export class Resource<T> {
  /// The last answer.
  readonly data = signal<T | null>(null);
  /// Why the last question had none.
  readonly error = signal<ApiError | null>(null);
  /// When the last answer came, in milliseconds since 1970; 0 before the first.
  readonly at = signal(0);

  #users = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | null = null;
  #again = false;
  #failures = 0;

  constructor(
    readonly load: (signal: AbortSignal) => Promise<T>,
    /// Time between an answer and the next question; 0 where only `refresh` asks.
    private asksEach = 2_000,
    /// Shortest time between two questions, whatever asks for them.
    readonly least = 1_000,
  ) {}

  /// Age from which the answer counts as old: five seconds, or more where it is asked for less often.
  get oldAfter(): number {
    return this.error.value ? STALE_MS : Math.max(STALE_MS, this.asksEach + MARGIN_MS);
  }

  /// Asks now, and from now on. What it returns ends that.
  use(): () => void {
    this.#users += 1;
    if (this.#users === 1) {
      RESOURCES.add(this);
      void this.#ask();
    }
    let done = false;
    return () => {
      if (done) return;
      done = true;
      this.#users -= 1;
      if (this.#users === 0) {
        RESOURCES.delete(this);
        this.rest();
      }
    };
  }

  /// Asks soon: at once where the last question is long ago.
  refresh(): void {
    if (this.#users === 0 || document.hidden) return;
    if (this.#asking) {
      this.#again = true;
      return;
    }
    const wait = this.at.peek() + this.least - Date.now();
    clearTimeout(this.#timer);
    if (wait <= 0) void this.#ask();
    else this.#timer = setTimeout(() => void this.#ask(), wait);
  }

  /// From the next answer on there is so much time to the next question.
  pace(interval: number): void {
    this.asksEach = interval;
  }

  /// Asks no more until `refresh`.
  rest(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#asking = null;
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#again = false;
    try {
      const answer = await this.load(asking.signal);
      if (this.#asking !== asking) return;
      this.data.value = answer;
      this.error.value = null;
      this.at.value = Date.now();
      this.#failures = 0;
    } catch (error) {
      if (this.#asking !== asking) return;
      this.error.value = asApiError(error);
      this.#failures += 1;
    }
    this.#asking = null;
    this.#plan();
  }

  #pause(): number {
    if (this.#failures > 0) return Math.min(1_000 * 1.6 ** this.#failures, LONGEST_PAUSE_MS);
    return this.#again ? this.least : this.asksEach;
  }

  #plan(): void {
    if (this.#users === 0 || document.hidden) return;
    const pause = this.#pause();
    if (pause > 0) this.#timer = setTimeout(() => void this.#ask(), pause);
  }
}

const RESOURCES = new Set<Resource<unknown>>();

/// A page that nobody sees asks nothing.
export function followVisibility(): void {
  document.addEventListener("visibilitychange", () => {
    for (const resource of RESOURCES) {
      if (document.hidden) resource.rest();
      else resource.refresh();
    }
  });
}

/// A resource that lives as long as the component, made anew when `deps` change.
export function useResource<T>(make: () => Resource<T>, deps: unknown[]): Resource<T> {
  // The caller says what it depends on
  const resource = useMemo(make, deps);
  useEffect(() => resource.use(), [resource]);
  return resource;
}
