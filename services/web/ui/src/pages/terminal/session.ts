import { browser } from "../../terminal/browser";
import { Connection } from "../../terminal/connection";
import { keys } from "../../terminal/handover";
import { Output } from "../../terminal/output";
import { isMac, names } from "../../terminal/platform";
import { openScreen } from "../../terminal/screen";
import { Tabs } from "../../terminal/tabs";
import type { State } from "../../terminal/world";
import { Attention } from "./attention";
import { Latch, type Named, sequence } from "./keyboard";

/// Time without a change after which the screen takes the size of its place.
const QUIET_MS = 80;
/// Time after a key or a click within which the program may put something into the clipboard.
const ASKED_MS = 10_000;

/// What the page is told.
export interface Told {
  /// Id of the text that says how to leave the screen.
  readonly help: string;
  told(state: State): void;
  /// Something to know; `isUrgent` where it stays true until something is sent to the session.
  say(text: string, isUrgent?: boolean): void;
  /// Something was sent to the session.
  sent(): void;
  leave(): void;
  /// Ctrl of the row of keys was used up.
  released(): void;
}

/// A screen with its connection.
export interface Session {
  readonly connection: Connection;
  focus(): void;
  read(isOn: boolean): void;
  paint(): void;
  /// A key of the row.
  press(key: Named): void;
  /// The next character is pressed together with Ctrl.
  hold(isHeld: boolean): void;
  close(): void;
}

/// Opens a screen in this place, and a session for it.
export function attend(place: HTMLElement, page: Told): Session {
  const latch = new Latch(() => page.released());
  const attention = new Attention(place, Date.now);
  const type = (data: string) => {
    if (!connection.type(latch.through(data))) page.say("That was too much at once: the end of it was left out.");
    if (connection.state.is === "live") page.sent();
  };
  const screen = openScreen(place, {
    input: type,
    help: page.help,
    leave: () => page.leave(),
    isLive: () => connection.state.is === "live",
    copy(text, isProgram) {
      if (!isProgram || attention.within(ASKED_MS)) void copy(text, page);
    },
  });
  const output = new Output(screen, () => connection.flooded());
  const tabs = new Tabs(() => held(connection));
  const connection: Connection = new Connection(
    browser((name) => tabs.ask(name)),
    {
      size: () => screen.size,
      told: (state) => page.told(state),
      notice: (code, message) => page.say(message, code === "idle_soon"),
      fresh: () => output.fresh(),
      output: (bytes) => output.take(bytes),
    },
    keys,
  );
  const unwatch = watch(place, () => screen.fit() && connection.resized(), connection);
  screen.fit();
  connection.open();
  return {
    connection,
    focus: () => screen.focus(),
    read: (isOn) => screen.read(isOn),
    paint: () => screen.paint(),
    press(key) {
      attention.note();
      type(sequence(key, screen.hasApplicationArrows));
    },
    hold(isHeld) {
      latch.isHeld = isHeld;
    },
    close() {
      unwatch();
      attention.close();
      tabs.close();
      connection.close();
      screen.close();
    },
  };
}

function held({ state, keys }: Connection): { name: string; key: string } | null {
  const { name, session } = keys;
  return state.is === "live" && name !== null && session !== null ? { name, key: session } : null;
}

/// Follows the size of the place, and whether the page is there.
function watch(place: HTMLElement, resized: () => void, connection: Connection): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const sized = new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(resized, QUIET_MS);
  });
  sized.observe(place);
  const changed = () => connection.presenceChanged();
  document.addEventListener("visibilitychange", changed);
  addEventListener("online", changed);
  addEventListener("offline", changed);
  return () => {
    clearTimeout(timer);
    sized.disconnect();
    document.removeEventListener("visibilitychange", changed);
    removeEventListener("online", changed);
    removeEventListener("offline", changed);
  };
}

async function copy(text: string, page: Told): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    page.say("copied");
  } catch {
    const { select } = names(isMac());
    page.say(`This browser does not let the page copy. Select with ${select} and the mouse, and use its menu.`);
  }
}
