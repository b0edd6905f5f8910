/// Output on its way to the screen: as much at once as the screen takes without freezing the page.

/// Bytes that are handed to the screen at once.
const PORTION = 65_536;
/// Bytes that may wait. Of more, the screen as it then is has to be asked for anew.
export const MOST_WAITING = 4 * 1_048_576;
/// Full reset (ECMA-48, RIS): it ends every sequence that was begun.
const RESET = Uint8Array.of(0x1b, 0x63);

export interface Glass {
  /// Writes, and tells when that is done.
  write(bytes: Uint8Array, done: () => void): void;
}

export class Output {
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #isBusy = false;

  constructor(
    readonly glass: Glass,
    /// More came than can be shown.
    readonly flooded: () => void,
  ) {}

  take(bytes: Uint8Array): void {
    if (this.#bytes + bytes.length > MOST_WAITING) {
      this.#clear();
      this.flooded();
      return;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    this.#next();
  }

  /// What follows begins on an empty screen.
  fresh(): void {
    this.#clear();
    this.take(RESET);
  }

  #clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }

  #next(): void {
    if (this.#isBusy || this.#waiting.length === 0) return;
    this.#isBusy = true;
    this.glass.write(this.#portion(), () => {
      this.#isBusy = false;
      this.#next();
    });
  }

  /// The oldest of it, several small pieces in one.
  #portion(): Uint8Array {
    const [first] = this.#waiting;
    if (first && (this.#waiting.length === 1 || first.length >= PORTION)) {
      this.#waiting.shift();
      this.#bytes -= first.length;
      return first;
    }
    let length = 0;
    let count = 0;
    for (const piece of this.#waiting) {
      if (count > 0 && length + piece.length > PORTION) break;
      length += piece.length;
      count += 1;
    }
    const portion = new Uint8Array(length);
    let at = 0;
    for (const piece of this.#waiting.splice(0, count)) {
      portion.set(piece, at);
      at += piece.length;
    }
    this.#bytes -= length;
    return portion;
  }
}
