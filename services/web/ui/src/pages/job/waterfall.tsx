import type { TimelineSpan } from "../../api/types";
import { type Bar, bars, ticks } from "../../look/waterfall";
import { Empty } from "../../parts/panel";

/// A job's life on one scale of time: every stretch has its name.
export function Waterfall({ spans }: { spans: TimelineSpan[] }) {
  if (spans.length === 0) return <Empty>Nothing is known of its time yet.</Empty>;
  return (
    <div class="waterfall">
      <ol>
        {bars(spans).map((bar, at) => (
          // Stretches have no identity but their place
          <Stretch key={at} bar={bar} />
        ))}
      </ol>
      <div class="scale" aria-hidden="true">
        {ticks(spans).map(({ left, text }) => (
          <span key={left} style={{ left: `${left}%` }}>
            {text}
          </span>
        ))}
      </div>
    </div>
  );
}

const Stretch = ({ bar }: { bar: Bar }) => (
  <li>
    <span class="stretch-name">{bar.label}</span>
    <span class="lane" aria-hidden="true">
      <span
        class={`bar tone-${bar.tone} ${bar.works ? "works" : "waits"} ${bar.open ? "open" : ""}`}
        style={{ left: `${bar.left}%`, width: `${bar.width}%` }}
      />
    </span>
    <span class="stretch-time">{bar.time}</span>
    <span class="stretch-verdict">
      {bar.verdict && (
        <span class={`is-${bar.verdict.tone}`} title={bar.verdict.text}>
          <span aria-hidden="true">{bar.verdict.glyph} </span>
          {bar.verdict.text || "succeeded"}
        </span>
      )}
    </span>
  </li>
);
