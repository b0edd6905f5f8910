const WIDTH = 100;
const HEIGHT = 28;
const MOST = 60;

/// Corners of a line through the last figures, in a box of 100 × 28.
export function corners(figures: number[]): string {
  const shown = figures.slice(-MOST);
  if (shown.length < 2) return "";
  const low = Math.min(...shown);
  const high = Math.max(...shown);
  const step = WIDTH / (shown.length - 1);
  const y = (figure: number) => (high > low ? HEIGHT - 2 - ((figure - low) / (high - low)) * (HEIGHT - 4) : HEIGHT - 2);
  return shown.map((figure, at) => `${(at * step).toFixed(1)},${y(figure).toFixed(1)}`).join(" ");
}

/// A line without figures, beside its figure.
export function Spark({ figures }: { figures: number[] }) {
  const points = corners(figures);
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {points && <polyline points={points} fill="none" vector-effect="non-scaling-stroke" />}
    </svg>
  );
}
