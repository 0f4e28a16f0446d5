/** A line without axes: how a figure went, beside the figure itself, which says how much. None where it never was anything. */

const WIDTH = 100;
const HEIGHT = 28;

export function Sparkline({ values }: { values: readonly (number | null)[] }) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2 || known.every((value) => value === 0)) return null;
  const low = Math.min(...known);
  const span = Math.max(...known) - low;
  // What never changed goes through the middle, neither low nor high.
  const heightOf = (value: number): string =>
    (HEIGHT - 2 - (span > 0 ? (value - low) / span : 0.5) * (HEIGHT - 4)).toFixed(1);
  const points = values.flatMap((value, place) =>
    value === null ? [] : [`${((place / (values.length - 1)) * WIDTH).toFixed(1)},${heightOf(value)}`],
  );
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(" ")} />
    </svg>
  );
}
