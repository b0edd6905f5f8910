/// What every page knows: time, the system at a glance, statistics and their history, the live stream.

import { computed, signal } from "@preact/signals";
import * as api from "../api/client";
import type { EventEnvelope } from "../api/types";
import { type Batch, envelope, LiveStream, type Raw, type StreamState } from "../live/stream";
import { History } from "./history";
import { followVisibility, Resource } from "./resource";

/// Milliseconds since 1970, once a second: ages are told by it.
export const now = signal(Date.now());

export const overview = new Resource(api.overview);
export const stats = new Resource(api.stats, 1_000);
export const history = signal(new History());

/// Whether what is shown of the system is old, and since when it is so.
export const staleSince = computed(() => staleness(overview, now.value));

/// The instant of the last answer where that is too long ago; 0 where there was none yet; null where it is young.
export function staleness(resource: Resource<unknown>, at: number): number | null {
  const last = resource.at.value;
  if (last === 0) return resource.error.value ? 0 : null;
  return at - last > resource.oldAfter ? last : null;
}

/// ` --instance NAME` where it is not the default one.
export const ofInstance = computed(() => {
  const name = overview.data.value?.instance ?? "observatory";
  return name === "observatory" ? "" : ` --instance ${name}`;
});

export const streamState = signal<StreamState>("connecting");
/// The latest events, newest first.
export const recent = signal<Raw[]>([]);
/// Events that were lost on the way, and when that was last told.
export const lost = signal({ count: 0, at: 0 });

const MOST_RECENT = 100;
const listeners = new Set<(batch: Batch) => void>();

/// Tells of every batch of live events. What it returns ends that.
export function onBatch(listener: (batch: Batch) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/// The envelopes of the first of them that are any.
export function envelopes(raws: Raw[], most: number): EventEnvelope[] {
  const found: EventEnvelope[] = [];
  for (const raw of raws) {
    const read = envelope(raw);
    if (read) found.push(read);
    if (found.length === most) break;
  }
  return found;
}

function take(batch: Batch): void {
  if (batch.events.length > 0) recent.value = [...batch.events.toReversed(), ...recent.peek()].slice(0, MOST_RECENT);
  if (batch.dropped > 0) lost.value = { count: lost.peek().count + batch.dropped, at: Date.now() };
  for (const listener of listeners) listener(batch);
}

const stream = new LiveStream(
  {
    open: () => new EventSource("/api/stream"),
    after: (cursor, limit) => api.eventsAfter(cursor, limit),
    mark: async () => (await api.events({ types: [] }, { limit: 1 })).followCursor,
    frame: (run) => requestAnimationFrame(run),
    timer: (run, ms) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  },
  take,
  (state) => {
    streamState.value = state;
  },
);

/// Begins to ask and to listen.
export function start(): void {
  setInterval(() => {
    now.value = Date.now();
  }, 1_000);
  overview.use();
  stats.use();
  stats.data.subscribe((figures) => {
    if (figures) history.value = history.peek().with(figures, Date.now());
  });
  followVisibility();
  document.addEventListener("visibilitychange", () => {
    now.value = Date.now();
    if (document.hidden) stream.stop();
    else stream.start();
  });
  if (!document.hidden) stream.start();
}
