import type { ComponentChildren } from "preact";
import type { Stats } from "../../api/types";
import { count } from "../../look/format";
import type { Tone } from "../../look/sign";
import { Spark } from "../../parts/spark";
import { openJobs } from "../../state/history";
import { history, now, staleness, stats } from "../../state/store";

/// Figures at the top of the page, each with its way over the last minutes.
export function Tiles() {
  const told = stats.data.value;
  const past = history.value;
  const stale = staleness(stats, now.value) !== null;
  return (
    <section class={`tiles ${stale ? "stale" : ""}`} aria-label="Jobs in figures" aria-busy={told === null}>
      <Tile name="submitted" figure={told?.total} past={past.of("total")}>
        {told && `${count(told.cancelled)} cancelled · ${count(told.retries)} retries`}
      </Tile>
      <Tile name="completed" glyph="✓" tone="ok" figure={told?.completed} past={past.of("completed")}>
        {told && share(told.completed, told)}
      </Tile>
      <Tile name="failed" glyph="✗" tone="bad" figure={told?.failed} past={past.of("failed")}>
        {told && share(told.failed, told)}
      </Tile>
      <Tile
        name="waiting or working"
        glyph="●"
        tone="working"
        figure={told ? openJobs(told) : undefined}
        past={past.of("open")}
      >
        {told && `${count(told.retrying)} retrying`}
      </Tile>
    </section>
  );
}

interface TileProps {
  name: string;
  glyph?: string;
  tone?: Tone;
  figure: number | undefined;
  past: number[];
  children: ComponentChildren;
}

function Tile({ name, glyph, tone, figure, past, children }: TileProps) {
  return (
    <div class={`tile ${tone ? `tone-${tone}` : ""}`}>
      <p class="tile-name">
        {glyph && <span class={`is-${tone}`} aria-hidden="true">{`${glyph} `}</span>}
        {name}
      </p>
      <p class="tile-figure">{figure === undefined ? "–" : count(figure)}</p>
      <p class="tile-note muted">{children || "\u00a0"}</p>
      <Spark figures={past} />
    </div>
  );
}

function share(part: number, told: Stats): string {
  const ended = told.completed + told.failed + told.cancelled;
  if (ended === 0) return "none ended yet";
  const percent = (part / ended) * 100;
  return `${percentage(percent)} of those that ended`;
}

/// Neither none nor all unless it is so.
function percentage(percent: number): string {
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent < 0.1) return "< 0.1 %";
  if (percent > 99.9) return "> 99.9 %";
  return `${percent.toFixed(1)} %`;
}
