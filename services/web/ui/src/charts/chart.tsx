import { useEffect, useRef } from "preact/hooks";
import { painted } from "../state/theme";
import type { Plot, Plotted, Series } from "./plot";

interface ChartProps {
  /// What it shows, in words, with figures.
  label: string;
  series: Series[];
  data: Plotted;
  format: (value: number) => string;
}

/// A chart over time, and its legend.
export function Chart({ label, series, data, format }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<Plot | null>(null);
  const latest = useRef(data);
  latest.current = data;
  // Series and format are the same for the whole life of a chart
  useEffect(() => {
    let gone = false;
    void import("./plot").then(({ plot }) => {
      if (gone || !place.current) return;
      chart.current = plot(place.current, series, format);
      chart.current.show(latest.current);
    });
    return () => {
      gone = true;
      chart.current?.destroy();
      chart.current = null;
    };
  }, []);
  useEffect(() => chart.current?.show(data), [data]);
  useEffect(() => painted.subscribe(() => chart.current?.repaint()), []);
  return (
    <>
      <div ref={place} class="chart" role="img" aria-label={label} />
      <ul class="legend" aria-hidden="true">
        {series.map((one) => (
          <li key={one.label}>
            <span class={`key key${one.colour}`} />
            {one.label}
          </li>
        ))}
      </ul>
    </>
  );
}
