import type { Signal } from "@preact/signals";
import type { Named } from "./keyboard";
import type { Session } from "./session";

const NAMES: [Named, string][] = [
  ["Left", "←"],
  ["Up", "↑"],
  ["Down", "↓"],
  ["Right", "→"],
  ["Enter", "↵"],
];

interface KeyRowProps {
  session: Session;
  /// Whether the next character is pressed together with Ctrl.
  control: Signal<boolean>;
}

/// Keys that the keyboards of phones do not have; shown where a finger points.
export function KeyRow({ session, control }: KeyRowProps) {
  const hold = () => {
    control.value = !control.value;
    session.hold(control.value);
  };
  // The field keeps the focus, so that the keyboard of the phone stays.
  const keep = (event: Event) => event.preventDefault();
  const key = (name: Named, shown: string) => (
    <button key={name} type="button" aria-label={name} onPointerDown={keep} onClick={() => session.press(name)}>
      <span aria-hidden="true">{shown}</span>
    </button>
  );
  return (
    <div class="key-row" role="toolbar" aria-label="Keys">
      {key("Esc", "Esc")}
      {key("Tab", "Tab")}
      <button type="button" aria-pressed={control.value} onPointerDown={keep} onClick={hold}>
        Ctrl
      </button>
      {NAMES.map(([name, shown]) => key(name, shown))}
    </div>
  );
}
