import type { Tone } from "../../look/sign";
import { line } from "../../look/text";
import { now } from "../../state/store";
import type { State } from "../../terminal/world";

interface Said {
  glyph: string;
  tone: Tone;
  text: string;
}

/// The state in a few words.
export function said(state: State, at: number): Said {
  switch (state.is) {
    case "connecting":
      return { glyph: "◌", tone: "waiting", text: "connecting…" };
    case "live":
      return { glyph: "●", tone: "ok", text: state.readOnly ? "connected · for looking only" : "connected" };
    case "waiting": {
      const seconds = Math.max(1, Math.ceil((state.until - at) / 1_000));
      return { glyph: "↻", tone: "attention", text: `not connected · next try in ${seconds} s` };
    }
    case "paused":
      return state.why === "offline"
        ? { glyph: "✗", tone: "bad", text: "this browser is offline" }
        : { glyph: "◌", tone: "waiting", text: "waits until this page is seen" };
    case "taken":
      return { glyph: "⊘", tone: "cancelled", text: "goes on elsewhere" };
    case "ended":
      return { glyph: "✓", tone: "waiting", text: "ended" };
    case "full":
      return { glyph: "⚠", tone: "attention", text: "too many sessions" };
    case "token":
      return { glyph: "⚠", tone: "attention", text: "a token is asked for" };
    case "none":
      return { glyph: "✗", tone: "bad", text: "no terminal here" };
  }
}

/// How the connection is, and what can be done about it.
export function Status({ state, again }: { state: State; again: () => void }) {
  const { glyph, tone, text } = said(state, now.value);
  return (
    <div class="terminal-state">
      {/* A countdown that is read out each second would drown everything else. */}
      <p
        class={`state is-${tone}`}
        role="status"
        aria-label="Connection"
        aria-live={state.is === "waiting" ? "off" : "polite"}
      >
        {glyph} {text}
      </p>
      {state.is === "waiting" && (
        <>
          <button type="button" class="small" onClick={again}>
            Try now
          </button>
          <span class="muted terminal-why">{line(state.why)}</span>
        </>
      )}
    </div>
  );
}
