import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

const SAID_MS = 1_500;

/// Copies a text.
export function Copy({ text, what }: { text: string; what: string }) {
  const said = useSignal("");
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      said.value = "copied";
    } catch {
      said.value = "not possible here";
    }
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      said.value = "";
    }, SAID_MS);
  };
  return (
    <>
      <button type="button" class="small" aria-label={`copy ${what}`} onClick={() => void copy()}>
        {said.value || "copy"}
      </button>
      <span class="unseen" role="status">
        {said.value && `${what}: ${said.value}`}
      </span>
    </>
  );
}

/// A command that can be copied.
export const Command = ({ text }: { text: string }) => (
  <span class="command">
    <code>{text}</code> <Copy text={text} what="the command" />
  </span>
);
