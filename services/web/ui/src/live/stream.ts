/// The live events of the read-model, without a hole where that is possible.
///
/// The stream itself begins with the present. So that a break loses nothing, the place in the event log is noted while
/// all is well, and what was recorded behind it is asked for after a break, up to a bound. Events that were seen are
/// known by their ids. Beyond the bound a gap is told, so that whoever shows figures asks for them anew.

import { EVENT_TYPES, type EventEnvelope, type EventPage, type EventType } from "../api/types";

/// Events that are handed over at once; of more, the latest.
export const MOST_KEPT = 200;
/// Ids that are known as seen.
const MOST_SEEN = 8_192;
/// Pages that are asked for after a break.
const MOST_PAGES = 4;
const PAGE = 500;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
const MARK_MS = 10_000;

export type StreamState = "connecting" | "live" | "broken";

/// An event as it came. Its envelope is read only where it is shown.
export interface Raw {
  type: EventType;
  data: string;
}

/// What came between two pictures.
export interface Batch {
  /// The latest, oldest first, at most [`MOST_KEPT`].
  events: Raw[];
  /// How many came in all.
  count: number;
  /// At least so many were lost on the way.
  dropped: number;
  /// Whether a break could not be closed.
  gap: boolean;
}

export interface Source {
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/// What the stream needs of the world.
export interface World {
  open(): Source;
  /// What was recorded after this place, oldest first.
  after(cursor: string, limit: number): Promise<EventPage>;
  /// The newest place of the log.
  mark(): Promise<string | undefined>;
  /// Before the next picture.
  frame(run: () => void): void;
  timer(run: () => void, ms: number): () => void;
}

export class LiveStream {
  #source: Source | null = null;
  #mark: string | undefined;
  #seen = new Set<string>();
  #pending: Batch = empty();
  #drawn = true;
  #pause = FIRST_PAUSE_MS;
  #cancels: (() => void)[] = [];
  /// Grows with each opening, so that what belongs to an earlier one is known.
  #turn = 0;

  constructor(
    readonly world: World,
    readonly take: (batch: Batch) => void,
    readonly told: (state: StreamState) => void,
  ) {}

  start(): void {
    if (this.#source) return;
    this.told("connecting");
    this.#turn += 1;
    const turn = this.#turn;
    const source = this.world.open();
    this.#source = source;
    source.addEventListener("open", () => this.#opened(turn));
    source.addEventListener("error", () => this.#failed(turn));
    source.addEventListener("odd.dropped", (event) => this.#dropped(event.data));
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (event) => this.#came({ type, data: event.data }, event.lastEventId));
    }
  }

  /// Closes the stream and keeps its place: `start` goes on from there.
  stop(): void {
    this.#turn += 1;
    this.#source?.close();
    this.#source = null;
    for (const cancel of this.#cancels.splice(0)) cancel();
  }

  #opened(turn: number): void {
    if (turn !== this.#turn) return;
    this.#pause = FIRST_PAUSE_MS;
    this.told("live");
    void this.#close(turn);
  }

  /// Comes back after a while, longer each time; browsers alone would come back every second for ever, or never.
  #failed(turn: number): void {
    if (turn !== this.#turn) return;
    this.told("broken");
    this.stop();
    const pause = this.#pause * (0.75 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    this.#cancels.push(this.world.timer(() => this.start(), pause));
  }

  /// Asks for what was recorded since the mark; then keeps the mark young.
  async #close(turn: number): Promise<void> {
    try {
      if (this.#mark !== undefined) await this.#catchUp(turn, this.#mark);
      else this.#mark = await this.world.mark();
    } catch {
      this.#pending.gap = true;
      this.#wake();
    }
    if (turn === this.#turn) this.#keepMark(turn);
  }

  async #catchUp(turn: number, from: string): Promise<void> {
    let cursor = from;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { events, followCursor } = await this.world.after(cursor, PAGE);
      if (turn !== this.#turn) return;
      for (const event of events) this.#came({ type: event.eventType, data: JSON.stringify(event) }, event.eventId);
      cursor = followCursor ?? cursor;
      this.#mark = cursor;
      if (events.length < PAGE) return;
    }
    this.#mark = await this.world.mark();
    this.#pending.gap = true;
    this.#wake();
  }

  #keepMark(turn: number): void {
    for (const cancel of this.#cancels.splice(0)) cancel();
    const again = async () => {
      try {
        const mark = await this.world.mark();
        if (turn === this.#turn && mark !== undefined) this.#mark = mark;
      } catch {
        // The old mark serves as well: more is asked for, and what was seen is known.
      }
      if (turn === this.#turn) this.#keepMark(turn);
    };
    this.#cancels.push(this.world.timer(() => void again(), MARK_MS));
  }

  #came(raw: Raw, id: string): void {
    if (id !== "") {
      if (this.#seen.has(id)) return;
      this.#seen.add(id);
      if (this.#seen.size > MOST_SEEN) this.#forget();
    }
    const { events } = this.#pending;
    events.push(raw);
    this.#pending.count += 1;
    // Trimmed seldom, not at each event.
    if (events.length >= MOST_KEPT * 2) events.splice(0, events.length - MOST_KEPT);
    this.#wake();
  }

  /// The older half; a set keeps the order in which it was filled.
  #forget(): void {
    let left = MOST_SEEN / 2;
    for (const id of this.#seen) {
      if (left === 0) break;
      this.#seen.delete(id);
      left -= 1;
    }
  }

  #dropped(data: string): void {
    let dropped = 1;
    try {
      const said: unknown = JSON.parse(data);
      if (typeof said === "object" && said !== null && "dropped" in said) dropped = Number(said.dropped) || 1;
    } catch {
      // At least one, then.
    }
    this.#pending.dropped += dropped;
    this.#wake();
  }

  /// One hand-over a picture, however many events came.
  #wake(): void {
    if (!this.#drawn) return;
    this.#drawn = false;
    this.world.frame(() => {
      this.#drawn = true;
      const batch = this.#pending;
      this.#pending = empty();
      if (batch.events.length > MOST_KEPT) batch.events = batch.events.slice(-MOST_KEPT);
      this.take(batch);
    });
  }
}

const empty = (): Batch => ({ events: [], count: 0, dropped: 0, gap: false });

/// The envelope of an event that came; null where it is none.
export function envelope(raw: Raw): EventEnvelope | null {
  try {
    const read: unknown = JSON.parse(raw.data);
    return typeof read === "object" && read !== null && "payload" in read ? (read as EventEnvelope) : null;
  } catch {
    return null;
  }
}

/// The job that an event is about.
export function jobOf(event: EventEnvelope): string | undefined {
  const id = event.payload?.id;
  return typeof id === "string" ? id : undefined;
}
