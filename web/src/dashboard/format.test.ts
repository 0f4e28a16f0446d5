import { describe, expect, it } from "vitest";
import * as format from "./format";

describe("what is not there", () => {
  it("is a dash, never a zero", () => {
    const { asNumber, asShortNumber, asPercent, asShare, asDuration } = format;
    for (const as of [asNumber, asShortNumber, asPercent, asShare, asDuration]) {
      expect(as(null)).toBe(format.NOTHING);
      expect(as(undefined)).toBe(format.NOTHING);
      expect(as(0)).not.toBe(format.NOTHING);
    }
    expect(format.asMoment(null)).toBe(format.NOTHING);
  });
});

it("writes numbers with the locale's separators", () => {
  expect(format.asNumber(0)).toBe("0");
  expect(format.asNumber(1234567)).toBe("1,234,567");
});

it("shortens from six digits on", () => {
  expect(format.asShortNumber(99_999)).toBe("99,999");
  expect(format.asShortNumber(100_000)).toMatch(/^100k$/i);
  expect(format.asShortNumber(1_234_567)).toMatch(/^1\.2m$/i);
});

it("takes rates as percent and means as shares", () => {
  expect(format.asPercent(73.3)).toBe("73.3%");
  expect(format.asPercent(100)).toBe("100.0%");
  expect(format.asPercent(0)).toBe("0.0%");
  expect(format.asShare(0.452)).toBe("45.2%");
  expect(format.asShare(1)).toBe("100.0%");
  expect(format.asWholePercent(99.6)).toBe("100%");
  expect(format.asWholeShare(0.452)).toBe("45%");
});

it("writes durations by the clock, and long ones in whole hours", () => {
  expect(format.asDuration(0)).toBe("0 s");
  expect(format.asDuration(59.4)).toBe("59 s");
  expect(format.asDuration(59.6)).toBe("1:00 min");
  expect(format.asDuration(200)).toBe("3:20 min");
  expect(format.asDuration(3600)).toBe("1:00 h");
  expect(format.asDuration(43_500)).toBe("12:05 h");
  expect(format.asDuration(4_334_400)).toBe("1,204 h");
});

it("shows a UTC day as that day, though the viewer's is another already", () => {
  expect(format.asDay("2026-11-23")).toBe("23 Nov");
  expect(format.asLongDay("2026-01-01")).toBe("1 Jan 2026");
  // How wide the spaces are differs between versions of the locales' data.
  expect(format.asRange("2026-11-01", "2026-11-09").replace(/\s/g, "")).toBe("1–9Nov2026");
  expect(format.asRange("2026-11-09", "2026-11-09")).toBe("9 Nov 2026");
});

it("shows a moment by the viewer's own clock", () => {
  expect(format.asMoment("2026-11-23T20:00:00Z")).toBe("24 Nov 2026, 01:45");
  expect(format.asClock(new Date("2026-11-23T06:15:00Z"))).toBe("12:00");
});

it("counts one of a kind as one", () => {
  expect(format.counted(1, "e-mail")).toBe("1 e-mail");
  expect([0, 2, 1234].map((number) => format.counted(number, "call"))).toEqual(["0 calls", "2 calls", "1,234 calls"]);
  expect([1, 2].map((number) => format.counted(number, "SMS", "SMS"))).toEqual(["1 SMS", "2 SMS"]);
  expect(format.counted(null, "call")).toBe("– calls");
});

it("ends what the gateway says with one full stop", () => {
  expect(format.asSentence("The database is away")).toBe("The database is away.");
  expect(format.asSentence("The gateway does not answer.")).toBe("The gateway does not answer.");
});
