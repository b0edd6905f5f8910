import type { Names } from "../../terminal/platform";

interface HelpProps {
  id: string;
  names: Names;
  hidden: boolean;
}

/// What the keyboard and the mouse do to the terminal itself.
export const Help = ({ id, names: { select, follow, paste }, hidden }: HelpProps) => (
  <p id={id} class="muted terminal-help" hidden={hidden}>
    <kbd>F6</kbd> leaves the terminal · <kbd>{select}</kbd> and the mouse select
    <span class="terminal-help-more">
      {" "}
      · <kbd>{follow}</kbd> and a click follow a link · <kbd>{paste}</kbd> pastes
    </span>
  </p>
);
