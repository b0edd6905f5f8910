/// What is typed, gathered: at most one message a picture, but the first key goes at once.

import { pieces } from "./protocol";

/// Characters of one paste; what is beyond is left out, and that is said.
export const MOST_TYPED = 1_048_576;

export class Input {
  #waiting = "";
  #isHeld = false;

  constructor(
    readonly send: (data: string) => void,
    /// Before the next picture, or soon where nobody looks.
    readonly frame: (run: () => void) => void,
  ) {}

  /// False where it was too much, and some of it is lost.
  type(data: string): boolean {
    const room = MOST_TYPED - this.#waiting.length;
    this.#waiting += data.slice(0, room);
    if (!this.#isHeld) this.#flush();
    return data.length <= room;
  }

  /// What was not sent yet is forgotten.
  clear(): void {
    this.#waiting = "";
  }

  #flush(): void {
    if (this.#waiting === "") return;
    const data = this.#waiting;
    this.#waiting = "";
    for (const piece of pieces(data)) this.send(piece);
    this.#isHeld = true;
    this.frame(() => {
      this.#isHeld = false;
      this.#flush();
    });
  }
}
