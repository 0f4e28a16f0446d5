import { afterEach, describe, expect, it, vi } from "vitest";
import { localSlot, time, weekday, weekdays, zoneMinutes } from "./zone";

afterEach(() => vi.unstubAllGlobals());

describe("a UTC hour of the week for the viewer", () => {
  it("is itself in UTC", () => {
    expect(localSlot(3, 14, 0)).toEqual({ day: 3, hour: 14, minute: 0 });
  });

  it("begins between two hours where the zone is not a whole number of them ahead", () => {
    expect(localSlot(1, 10, 345)).toEqual({ day: 1, hour: 15, minute: 45 }); // Kathmandu
    expect(localSlot(1, 10, -150)).toEqual({ day: 1, hour: 7, minute: 30 }); // St John's, in summer
  });

  it("is on the next or the last day near midnight, also over the week's ends", () => {
    expect(localSlot(6, 20, 345)).toEqual({ day: 0, hour: 1, minute: 45 });
    expect(localSlot(0, 3, -300)).toEqual({ day: 6, hour: 22, minute: 0 });
    expect(localSlot(6, 23, 14 * 60)).toEqual({ day: 0, hour: 13, minute: 0 }); // Kiritimati
    expect(localSlot(0, 0, -12 * 60)).toEqual({ day: 6, hour: 12, minute: 0 });
  });

  it("is another one for each of the week's hours, in every zone", () => {
    for (let ahead = -12 * 60; ahead <= 14 * 60; ahead += 15) {
      const slots = new Set<string>();
      for (let day = 0; day < 7; day++)
        for (let hour = 0; hour < 24; hour++) {
          const slot = localSlot(day, hour, ahead);
          expect(slot.day).toBeGreaterThanOrEqual(0);
          expect(slot.day).toBeLessThan(7);
          expect(slot.hour).toBeGreaterThanOrEqual(0);
          expect(slot.hour).toBeLessThan(24);
          slots.add(`${slot.day} ${slot.hour}`);
        }
      expect(slots.size).toBe(168);
    }
  });
});

it("knows how far the viewer's clock is ahead", () => {
  expect(zoneMinutes()).toBe(345); // the zone of these tests is Kathmandu's
});

it("names days and times as the locale does, whatever the zone", () => {
  expect([0, 1, 6].map((day) => weekday(day))).toEqual(["Sunday", "Monday", "Saturday"]);
  expect(weekday(2, true)).toBe("Tue");
  expect(time(0, 0)).toMatch(/^0?0:00$/);
  expect(time(15, 45)).toBe("15:45");
});

describe("the week", () => {
  it("begins as it does where the viewer lives", () => {
    expect(weekdays("de-DE")).toEqual([1, 2, 3, 4, 5, 6, 0]);
    expect(weekdays("en-US")).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("has each day once in any locale", () => {
    for (const locale of ["en-US", "ar-EG", "ne-NP", "pt-BR", "dv-MV"])
      expect([...weekdays(locale)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("is known to browsers in one of two ways, or begins on Monday", () => {
    vi.stubGlobal("Intl", { ...Intl, Locale: class {} });
    expect(weekdays("en-US")[0]).toBe(1);
    vi.stubGlobal("Intl", {
      ...Intl,
      Locale: class {
        weekInfo = { firstDay: 6 };
      },
    });
    expect(weekdays("ar-EG")[0]).toBe(6);
  });
});

it("takes whole minutes of a zone that once had seconds", () => {
  vi.spyOn(Date.prototype, "getTimezoneOffset").mockReturnValue(-340.6);
  expect(zoneMinutes()).toBe(341);
  vi.restoreAllMocks();
});
