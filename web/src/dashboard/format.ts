/** Numbers, shares, durations and times as the viewer's locale writes them. What is not there is a dash, never a zero. */

import { written } from "./direction";
import { LOCALE } from "../locale";

export const NOTHING = "–";

const whole = new Intl.NumberFormat(LOCALE);
const short = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(LOCALE, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const wholePercent = new Intl.NumberFormat(LOCALE, { style: "percent" });
const day = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", dateStyle: "medium" });
const clock = new Intl.DateTimeFormat(LOCALE, { timeStyle: "short" });
const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });

type Maybe = number | null | undefined;

const numeral = (format: Intl.NumberFormat, value: Maybe): string =>
  value == null ? NOTHING : written(format.format(value));

export const asNumber = (value: Maybe): string => numeral(whole, value);

/** In full up to five digits, then as 1.2M: for where there is no room. */
export const asShortNumber = (value: Maybe): string =>
  numeral(value != null && Math.abs(value) >= 100_000 ? short : whole, value);

/** So many of something, in words: `1 call`, `2 calls`; the words around are English, whatever the locale of the number. */
export const counted = (value: Maybe, one: string, many = `${one}s`): string =>
  `${asNumber(value)} ${value === 1 ? one : many}`;

/** Of a number of percent, as the API gives rates. */
export const asPercent = (value: Maybe): string => numeral(percent, value == null ? value : value / 100);

/** The same, rounded to whole ones: for what is shown as a length beside it. */
export const asWholePercent = (value: Maybe): string => numeral(wholePercent, value == null ? value : value / 100);

/** Of a share between 0 and 1, in whole percent. */
export const asWholeShare = (value: Maybe): string => numeral(wholePercent, value);

/** Of a share between 0 and 1, as the API gives means of shares. */
export const asShare = (value: Maybe): string => numeral(percent, value);

/** Of seconds: 45 s, 3:20 min, 12:05 h, and from a hundred hours on 1,204 h. */
export function asDuration(seconds: Maybe): string {
  if (seconds == null) return NOTHING;
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return `${clockwise(rounded)} min`;
  const hours = rounded / 3600;
  return hours < 100 ? `${clockwise(Math.floor(rounded / 60))} h` : `${asNumber(Math.round(hours))} h`;
}

const clockwise = (number: number): string => `${Math.floor(number / 60)}:${String(number % 60).padStart(2, "0")}`;

/** A UTC day, `2026-11-23`, as the same day wherever the viewer is. */
export const asDay = (date: string): string => dated(day, `${date}T00:00:00Z`, date);
export const asLongDay = (date: string): string => dated(longDay, `${date}T00:00:00Z`, date);

export function asRange(from: string, to: string): string {
  const ends = [from, to].map((date) => new Date(`${date}T00:00:00Z`)) as [Date, Date];
  if (from === to || ends.some((end) => Number.isNaN(end.getTime())) || !("formatRange" in longDay))
    return [...new Set([asLongDay(from), asLongDay(to)])].join(` ${NOTHING} `);
  return written(longDay.formatRange(...ends));
}

/** A moment in the viewer's own zone. */
export const asClock = (at: Date): string => written(clock.format(at));
export const asMoment = (at: Date | string | null | undefined): string =>
  at ? dated(moment, at, String(at)) : NOTHING;

/** What the viewer's zone is called, where the browser knows. */
export const zoneName = (): string => clock.resolvedOptions().timeZone ?? "your clock";

/** As it came, if it is no time. */
function dated(format: Intl.DateTimeFormat, at: Date | string, otherwise: string): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? otherwise : written(format.format(time));
}

/** What the gateway says, with the full stop that it leaves out, so that more can be said after it. */
export const asSentence = (said: string): string => (/[.!?]$/.test(said) ? said : `${said}.`);
