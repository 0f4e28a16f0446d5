/** A range of days as it is typed: what keeps it from being asked for. */

import { asNumber } from "./format";

/** The days that calls can be of, as the database holds them. */
export const FIRST_DAY = "1970-01-01";
export const LAST_DAY = "2199-12-31";
/** As the gateway answers. */
const MOST_DAYS = 1096;
const DAY_MS = 86_400_000;

/** Whether it is a day that calls can be of; one whose year is still being typed, such as `0202-02-10`, is none. */
export const isPlausible = (day: string): boolean =>
  // As text: days of four-digit years are in order.
  day.length === FIRST_DAY.length && day >= FIRST_DAY && day <= LAST_DAY;

/** What is wrong with a range of two plausible days, in a sentence; null where nothing is, or one of them is not there yet. */
export function mistakeIn(first: string, last: string): string | null {
  if (!first || !last) return null;
  if (first > last) return "The range ends before it begins.";
  const days = (Date.parse(last) - Date.parse(first)) / DAY_MS + 1;
  return days > MOST_DAYS ? `The range has ${asNumber(days)} days; at most ${asNumber(MOST_DAYS)} are counted.` : null;
}
