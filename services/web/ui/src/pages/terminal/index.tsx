import "../../style/terminal.css";
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { line } from "../../look/text";
import { painted } from "../../state/theme";
import { handed } from "../../terminal/handover";
import type { State } from "../../terminal/world";
import { Aside } from "./aside";
import { Fallback } from "./fallback";
import { KeyRow } from "./key-row";
import { attend, type Session } from "./session";
import { Status } from "./status";

const NOTICE_MS = 8_000;
const READER = "odd.terminal.reader";

/// `odd watch` in the browser.
export function TerminalPage() {
  const place = useRef<HTMLDivElement>(null);
  const leaves = useRef<HTMLButtonElement>(null);
  const session = useSignal<Session | null>(null);
  const state = useSignal<State>({ is: "connecting" });
  const notice = useSignal("");
  const control = useSignal(false);
  const reads = useSignal(stored());
  useEffect(() => {
    if (!place.current) return undefined;
    const attended = attend(place.current, {
      told(told) {
        state.value = told;
      },
      say(text) {
        notice.value = line(text);
      },
      leave: () => leaves.current?.focus(),
      released() {
        control.value = false;
      },
    });
    attended.read(reads.peek());
    session.value = attended;
    return () => attended.close();
  }, []);
  const attended = session.value;
  const { is } = state.value;
  useEffect(() => {
    if (is === "live" && isFree(document.activeElement)) attended?.focus();
  }, [is, attended]);
  useEffect(() => attended?.paint(), [attended, painted.value]);
  useEffect(() => {
    if (handed.value > 0) attended?.connection.open();
  }, [handed.value]);
  useEffect(() => fading(notice), [notice.value]);
  const switchReader = () => {
    reads.value = !reads.value;
    store(reads.value);
    attended?.read(reads.value);
  };
  const hasNone = is === "token" || is === "none" || is === "full";
  const isAway = hasNone || is === "ended";
  const isOld = is !== "live" && is !== "connecting";
  return (
    <div class={`terminal-page ${isAway ? "" : "is-full"}`}>
      <section class="panel terminal-panel" aria-label="Web terminal">
        <div class="terminal-head">
          <h1 class="unseen">Terminal</h1>
          <Status state={state.value} again={() => attended?.connection.open()} />
          <p class="terminal-notice is-attention" role="status" aria-label="Notice">
            {notice.value}
          </p>
          <p class="muted terminal-help" hidden={isAway}>
            <kbd>F6</kbd> leaves the terminal · <kbd>Shift</kbd> and the mouse select
          </p>
          <button
            ref={leaves}
            type="button"
            class="small"
            hidden={isAway}
            aria-pressed={reads.value}
            onClick={switchReader}
          >
            Screen reader
          </button>
        </div>
        {attended && <Aside state={state.value} connection={attended.connection} />}
        <section
          aria-label="Screen"
          class={`terminal-screen ${isOld ? "is-old" : ""}`}
          hidden={isAway}
          inert={isOld && is !== "waiting"}
        >
          <div ref={place} class="terminal-place" />
        </section>
        {attended && is === "live" && <KeyRow session={attended} control={control} />}
      </section>
      {hasNone && <Fallback />}
    </div>
  );
}

/// Whether nobody is about to write somewhere else.
const isFree = (active: Element | null) => !active?.matches("input, select, dialog *");

function fading(notice: Signal<string>): (() => void) | undefined {
  if (notice.value === "") return undefined;
  const timer = setTimeout(() => {
    notice.value = "";
  }, NOTICE_MS);
  return () => clearTimeout(timer);
}

function stored(): boolean {
  try {
    return localStorage.getItem(READER) === "on";
  } catch {
    return false;
  }
}

function store(isOn: boolean): void {
  try {
    if (isOn) localStorage.setItem(READER, "on");
    else localStorage.removeItem(READER);
  } catch {
    // It holds until the page is left.
  }
}
