import "../../style/terminal.css";
import { useSignal } from "@preact/signals";
import { useEffect, useId, useMemo, useRef } from "preact/hooks";
import { line } from "../../look/text";
import { painted } from "../../state/theme";
import { handed } from "../../terminal/handover";
import { isMac, names } from "../../terminal/platform";
import type { State } from "../../terminal/world";
import { Aside } from "./aside";
import { Fallback } from "./fallback";
import { Focus, isFree } from "./focus";
import { Help } from "./help";
import { KeyRow } from "./key-row";
import { Notices } from "./notices";
import { attend, type Session } from "./session";
import { Status } from "./status";

const READER = "odd.terminal.reader";

/// `odd watch` in the browser.
export function TerminalPage() {
  const help = useId();
  const panel = useRef<HTMLElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const leaves = useRef<HTMLButtonElement>(null);
  const session = useSignal<Session | null>(null);
  const state = useSignal<State>({ is: "connecting" });
  const notices = useMemo(() => new Notices(), []);
  const focus = useMemo(() => new Focus(), []);
  const control = useSignal(false);
  const reads = useSignal(stored());
  useEffect(() => {
    if (!place.current) return undefined;
    const attended = attend(place.current, {
      help,
      told(told) {
        focus.note(panel.current);
        if (isOver(told)) notices.settle();
        state.value = told;
      },
      say: (text, isUrgent = false) => notices.say(line(text), isUrgent),
      sent: () => notices.settle(),
      leave: () => leaves.current?.focus(),
      released() {
        control.value = false;
      },
    });
    attended.read(reads.peek());
    session.value = attended;
    return () => {
      attended.close();
      notices.close();
    };
  }, []);
  const attended = session.value;
  const { is } = state.value;
  useEffect(() => {
    if (is !== "live") focus.enter(panel.current);
    else if (isFree(document.activeElement, panel.current)) attended?.focus();
  }, [is, attended]);
  useEffect(() => attended?.paint(), [attended, painted.value]);
  useEffect(() => {
    if (handed.value > 0) attended?.connection.open();
  }, [handed.value]);
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
      <section ref={panel} class="panel terminal-panel" aria-label="Web terminal">
        <div class="terminal-head">
          <h1 class="unseen">Terminal</h1>
          <Status state={state.value} again={() => attended?.connection.open()} />
          <p class="terminal-notice is-attention" role="status" aria-label="Notice">
            {notices.shown.value}
          </p>
          <Help id={help} names={names(isMac())} hidden={isAway} />
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

/// Whether the session does not go on: there is nothing to warn of any more.
const isOver = ({ is }: State) => is === "ended" || is === "taken" || is === "token" || is === "none" || is === "full";

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
