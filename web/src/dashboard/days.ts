/** UTC days as they are written, `2026-11-23`. */

const DAY_MS = 86_400_000;

/** Every day from the first to the last, both included. */
export function daysBetween(first: string, last: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(`${first}T00:00:00Z`); at <= Date.parse(`${last}T00:00:00Z`); at += DAY_MS)
    days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/** What is known of each of the days. */
export function onDays<Day extends { date: string }>(
  days: readonly string[],
  known: readonly Day[],
): (Day | undefined)[] {
  const byDate = new Map(known.map((day) => [day.date, day]));
  return days.map((date) => byDate.get(date));
}
