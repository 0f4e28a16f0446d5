/** Text that is written from right to left, within sentences that are not. */

const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
/** Characters that turn whatever follows them. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/gu;

/** What a locale wrote, kept apart from the sentence around it: otherwise that tears a day, its month and its year apart. */
export const written = (text: string): string => (RIGHT_TO_LEFT.test(text) ? `\u2067${text}\u2069` : text);

/** A name that somebody gave, which can turn nothing but itself; for text that no element can be put around. */
export function named(name: string): string {
  const own = withoutTurns(name);
  return own !== name || RIGHT_TO_LEFT.test(own) ? `\u2068${own}\u2069` : own;
}

/** A name for a `<bdi>`, which a character within could end. */
export const withoutTurns = (name: string): string => name.replace(TURNING, "");
