/** Numbers, shares, durations and times as the viewer's locale writes them. What is not there is a dash, never a zero. */

export const NOTHING = "–";

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const wholePercent = new Intl.NumberFormat(undefined, { style: "percent" });
const day = new Intl.DateTimeFormat(undefined, { timeZone: "UTC", day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat(undefined, { timeZone: "UTC", dateStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

type Maybe = number | null | undefined;

export const asNumber = (value: Maybe): string => (value == null ? NOTHING : whole.format(value));

/** In full up to five digits, then as 1.2M: for where there is no room. */
export const asShortNumber = (value: Maybe): string =>
  value == null ? NOTHING : Math.abs(value) < 100_000 ? whole.format(value) : short.format(value);

/** Of a number of percent, as the API gives rates. */
export const asPercent = (value: Maybe): string => (value == null ? NOTHING : percent.format(value / 100));

/** The same, rounded to whole ones: for what is shown as a length beside it. */
export const asWholePercent = (value: Maybe): string => (value == null ? NOTHING : wholePercent.format(value / 100));

/** Of a share between 0 and 1, in whole percent. */
export const asWholeShare = (value: Maybe): string => (value == null ? NOTHING : wholePercent.format(value));

/** Of a share between 0 and 1, as the API gives means of shares. */
export const asShare = (value: Maybe): string => (value == null ? NOTHING : percent.format(value));

/** Of seconds: 45 s, 3:20 min, 12:05 h, and from a hundred hours on 1,204 h. */
export function asDuration(seconds: Maybe): string {
  if (seconds == null) return NOTHING;
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return `${clockwise(rounded)} min`;
  const hours = rounded / 3600;
  return hours < 100 ? `${clockwise(Math.floor(rounded / 60))} h` : `${whole.format(Math.round(hours))} h`;
}

const clockwise = (number: number): string => `${Math.floor(number / 60)}:${String(number % 60).padStart(2, "0")}`;

/** A UTC day, `2026-11-23`, as the same day wherever the viewer is. */
export const asDay = (date: string): string => day.format(new Date(`${date}T00:00:00Z`));
export const asLongDay = (date: string): string => longDay.format(new Date(`${date}T00:00:00Z`));
export const asRange = (from: string, to: string): string =>
  longDay.formatRange(new Date(`${from}T00:00:00Z`), new Date(`${to}T00:00:00Z`));

/** A moment in the viewer's own zone. */
export const asClock = (at: Date): string => clock.format(at);
export const asMoment = (at: string | null | undefined): string => (at ? moment.format(new Date(at)) : NOTHING);

/** What the gateway says, with the full stop that it leaves out, so that more can be said after it. */
export const asSentence = (said: string): string => (/[.!?]$/.test(said) ? said : `${said}.`);
