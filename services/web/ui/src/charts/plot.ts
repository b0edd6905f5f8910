/// Charts over time with uPlot. Apart from the rest, so that the page does not wait for it.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Line } from "../state/history";
import { token } from "../state/theme";

export interface Series {
  label: string;
  /// Name of a token, such as `--accent`.
  colour: string;
  filled?: boolean;
  dashed?: boolean;
  /// Whether seconds in which nothing was told are passed over; otherwise they are a hole.
  joined?: boolean;
}

export interface Plotted {
  at: number[];
  lines: Line[];
}

export interface Plot {
  show(data: Plotted): void;
  /// Takes the colours of the present theme.
  repaint(): void;
  destroy(): void;
}

const HEIGHT = 168;
/// Steps of an axis: whole ones, so that no mark stands for a part of a job or a microsecond.
const STEPS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
const FONT = "11px system-ui, sans-serif";

export function plot(place: HTMLElement, series: Series[], format: (value: number) => string): Plot {
  const chart = new uPlot(options(place, series, format), [[], ...series.map(() => [])], place);
  const observer = new ResizeObserver(() => chart.setSize({ width: width(place), height: HEIGHT }));
  observer.observe(place);
  return {
    show: ({ at, lines }) => chart.setData([at, ...lines]),
    repaint: () => chart.redraw(false, true),
    destroy: () => {
      observer.disconnect();
      chart.destroy();
    },
  };
}

const width = (place: HTMLElement) => Math.max(120, Math.floor(place.clientWidth));

function options(place: HTMLElement, series: Series[], format: (value: number) => string): uPlot.Options {
  const axis = { stroke: () => token("--muted"), font: FONT, ticks: { show: false } };
  const grid = { stroke: () => token("--line"), width: 1 };
  return {
    width: width(place),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 8, 0, 0],
    // From nothing, so that lengths can be compared; with some room where all is nothing.
    scales: { x: { time: true }, y: { range: (_chart, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, space: 72, size: 32, gap: 10, values: (_chart, splits) => splits.map(clock) },
      {
        ...axis,
        grid,
        incrs: STEPS,
        size: 58,
        space: 36,
        values: (_chart, splits) => splits.map((value) => format(value)),
      },
    ],
    series: [{}, ...series.map(line)],
  };
}

function line({ label, colour, filled, dashed, joined }: Series): uPlot.Series {
  const made: uPlot.Series = {
    label,
    stroke: () => token(colour),
    width: 1.5,
    points: { show: false },
    spanGaps: joined === true,
  };
  if (filled) made.fill = () => `${token(colour)}2e`;
  if (dashed) made.dash = [4, 3];
  return made;
}

const clock = (seconds: number) => new Date(seconds * 1_000).toISOString().slice(11, 19);
