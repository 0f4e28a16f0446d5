/** How values lie on their scales. */

/** The top of a scale of four round steps that has room for these counts. */
export function topOf(counts: readonly number[]): number {
  const step = Math.max(1, ...counts) / 4;
  const power = 10 ** Math.max(0, Math.floor(Math.log10(step)));
  return 4 * power * ([1, 2, 3, 5].find((round) => round * power >= step) ?? 10);
}

/** What has no neighbour, and so no line: a day between others without values, or the only one. */
export const lonely = (values: readonly (number | null)[]): (number | null)[] =>
  values.map((value, at) => (values[at - 1] == null && values[at + 1] == null ? value : null));
