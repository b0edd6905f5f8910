import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";
import { line } from "../../look/text";
import { Command } from "../../parts/copy";
import { ofInstance } from "../../state/store";
import type { Connection } from "../../terminal/connection";
import type { State } from "../../terminal/world";

interface AsideProps {
  state: State;
  connection: Connection;
}

/// What is said, and offered, where the session does not go on by itself.
export function Aside({ state, connection }: AsideProps) {
  const renew = () => connection.renew();
  const again = () => connection.open();
  switch (state.is) {
    case "taken":
      return (
        <Card title="The session goes on elsewhere" text="Another tab or window of this browser has it now.">
          <Act name="Take it back" act={() => void connection.takeBack()} first />
          <Act name="New session" act={renew} />
        </Card>
      );
    case "ended":
      return (
        <Card title="The session has ended" text={sentence(state.message)}>
          <Act name="New session" act={renew} first />
        </Card>
      );
    case "full":
      return (
        <Card title="Too many sessions" text={sentence(state.message)}>
          <Act name="Try again" act={again} first />
        </Card>
      );
    case "token":
      return <AskToken wrong={state.wrong} connection={connection} />;
    case "none":
      return (
        <Card title="No terminal here" text={sentence(state.reason)}>
          <Act name="Try again" act={again} first />
          <span>
            The same in a terminal of yours: <Command text={`odd watch${ofInstance.value}`} />
          </span>
        </Card>
      );
    default:
      return null;
  }
}

function Card({ title, text, children }: { title: string; text: string; children: ComponentChildren }) {
  return (
    <div class="terminal-aside" role="status">
      <h2>{title}</h2>
      <p>{text}</p>
      <div class="actions">{children}</div>
    </div>
  );
}

const Act = ({ name, act, first = false }: { name: string; act: () => void; first?: boolean }) => (
  <button type="button" class={first ? "primary" : ""} onClick={act}>
    {name}
  </button>
);

/// Characters that the field takes: a token, and what may be around it where it was copied from.
const PASTED = 1_024;

function AskToken({ wrong, connection }: { wrong: boolean; connection: Connection }) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const show = (event: Event) => {
    event.preventDefault();
    const token = field.current?.value.trim();
    if (token) connection.authorize(token);
  };
  return (
    <form class="terminal-aside" onSubmit={show}>
      <h2>A token is asked for</h2>
      <p>
        This web role was set up with a token (<code>ODD_WEB_TOKEN</code>).{" "}
        <Command text={`odd open web${ofInstance.value}`} /> opens this page with it.
      </p>
      <div class="field">
        <label for={id}>Token</label>
        <input
          ref={field}
          id={id}
          type="password"
          autocomplete="off"
          spellcheck={false}
          maxLength={PASTED}
          required
          aria-invalid={wrong}
        />
        {wrong && (
          <p class="field-error" role="alert">
            This token is not the right one.
          </p>
        )}
      </div>
      <div class="actions">
        <button type="submit" class="primary">
          Open
        </button>
      </div>
    </form>
  );
}

/// What a role says, as a sentence.
function sentence(text: string): string {
  const said = line(text);
  const begun = said.charAt(0).toUpperCase() + said.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
