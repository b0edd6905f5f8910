import { pretty } from "../look/text";
import { Copy } from "./copy";

/// Longest document that is written out; a longer one can be copied.
const MOST = 20_000;

/// A JSON document, as text.
export function JsonBlock({ value, what }: { value: unknown; what: string }) {
  const text = pretty(value);
  const long = text.length > MOST;
  return (
    <section class="json" aria-label={what}>
      <div class="json-tools">
        <Copy text={JSON.stringify(value, null, 2) ?? ""} what={what} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard */}
      <pre tabIndex={0}>{long ? `${text.slice(0, MOST)}\n… ${text.length - MOST} more characters` : text}</pre>
    </section>
  );
}
