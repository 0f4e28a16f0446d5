/** From the API's hours of the UTC week to those of the viewer's own zone. */

import { written } from "./direction";
import { LOCALE } from "../locale";

const MINUTES_OF_A_WEEK = 7 * 24 * 60;

/** Whole minutes that the viewer's clock is ahead of UTC now; a range over a change of the clock is shown by today's. */
export const zoneMinutes = (): number => -Math.round(new Date().getTimezoneOffset());

/** The day (0 is Sunday) and the time at which a UTC hour of the week begins for a viewer so many minutes ahead. */
export function localSlot(day: number, hour: number, ahead: number): { day: number; hour: number; minute: number } {
  const minutes = (day * 1440 + hour * 60 + ahead + MINUTES_OF_A_WEEK) % MINUTES_OF_A_WEEK;
  return { day: Math.floor(minutes / 1440), hour: Math.floor((minutes % 1440) / 60), minute: minutes % 60 };
}

// 4 January 1970 was a Sunday.
const SUNDAY_MS = 3 * 86_400_000;
const longWeekday = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", weekday: "long" });
const shortWeekday = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", weekday: "short" });
const timeOfDay = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", hour: "numeric", minute: "2-digit" });

export const weekday = (day: number, isShort = false): string =>
  written((isShort ? shortWeekday : longWeekday).format(SUNDAY_MS + day * 86_400_000));

export const time = (hour: number, minute: number): string => written(timeOfDay.format((hour * 60 + minute) * 60_000));

type WeekInfo = { firstDay: number };
type Weekly = { getWeekInfo?: () => WeekInfo; weekInfo?: WeekInfo };

/** The days as the viewer's calendar begins its week; Monday where the browser does not know. */
export function weekdays(locale = LOCALE): number[] {
  const week = new Intl.Locale(locale) as Weekly;
  const first = ((week.getWeekInfo?.() ?? week.weekInfo)?.firstDay ?? 1) % 7;
  return Array.from({ length: 7 }, (_, place) => (first + place) % 7);
}
