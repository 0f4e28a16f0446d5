/** Every way of writing on the page, in locales that write otherwise than English does. */

import { afterEach, describe, expect, it, vi } from "vitest";

const LOCALES = [
  "en-US", "en-GB", "de-DE", "de-CH", "fr-FR", "pt-BR", "ru-RU", "hi-IN-u-nu-deva", "ne-NP", "bn-BD", "mr-IN", "my-MM",
  "ta-IN-u-nu-tamldec", "th-TH", "th-TH-u-ca-buddhist-nu-thai", "ja-JP", "ja-JP-u-ca-japanese", "zh-TW-u-ca-roc",
  "zh-Hans-CN-u-nu-hanidec", "ko-KR", "ar", "ar-EG", "ar-SA-u-ca-islamic", "ar-MA", "fa-IR", "he-IL", "he-IL-u-ca-hebrew",
  "ur-PK", "ps-AF", "ckb-IQ", "am-ET-u-ca-ethiopic", "C", "POSIX", "en-US@posix", "de_DE.UTF-8", "", undefined,
]; // prettier-ignore

const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\u200f]/u;

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** The formatters as they are for a viewer of this language. */
async function formattersOf(language: string | undefined) {
  vi.resetModules();
  vi.stubGlobal("navigator", { language, languages: [language] });
  return { format: await import("./format"), zone: await import("./zone"), scale: await import("./scale") };
}

describe.each(LOCALES.map((language) => [String(language), language] as const))("a viewer's %s", (_, language) => {
  it("writes everything in Gregorian days, in one kind of digits, and kept apart from the English around it", async () => {
    const { format, zone, scale } = await formattersOf(language);
    const days = {
      asLongDay: format.asLongDay("2026-11-30"),
      asRange: format.asRange("2026-11-01", "2026-11-30"),
      aYear: format.asRange("2025-12-31", "2026-11-30"),
      oneDay: format.asRange("2026-11-30", "2026-11-30"),
      asMoment: format.asMoment("2026-11-30T12:00:00Z"),
    };
    for (const [name, text] of Object.entries(days)) {
      expect(text, name).toMatch(/2026|\b26\b/);
      expect(text, name).toContain("30");
    }
    const all = {
      ...days,
      asDay: format.asDay("2026-11-30"),
      asClock: format.asClock(new Date("2026-11-30T12:00:00Z")),
      asNumber: format.asNumber(-1_234_567.5),
      asShortNumber: format.asShortNumber(12_345_678),
      asPercent: format.asPercent(73.3),
      asWholePercent: format.asWholePercent(73.3),
      asShare: format.asShare(0.733),
      asWholeShare: format.asWholeShare(0.733),
      seconds: format.asDuration(45),
      minutes: format.asDuration(200),
      hours: format.asDuration(4_334_400),
      counted: format.counted(2, "call"),
      top: format.asNumber(scale.topOf([1_234_567])),
      time: zone.time(15, 45),
      ...Object.fromEntries(zone.weekdays().map((day) => [`day ${day}`, zone.weekday(day)])),
      ...Object.fromEntries(zone.weekdays().map((day) => [`short day ${day}`, zone.weekday(day, true)])),
    };
    for (const [name, text] of Object.entries(all)) {
      expect(text.trim(), name).not.toBe("");
      expect(text.replace(/[0-9]/g, ""), name).not.toMatch(/\p{Nd}/u);
      if (RIGHT_TO_LEFT.test(text)) expect(text, name).toMatch(/^\u2067[^\u2066-\u2069]*\u2069( |$)/u);
    }
    expect(new Set(zone.weekdays()).size).toBe(7);
  });
});

it("writes ranges also where the browser cannot", async () => {
  const { format } = await formattersOf("de-DE");
  const { formatRange } = Intl.DateTimeFormat.prototype;
  Reflect.deleteProperty(Intl.DateTimeFormat.prototype, "formatRange");
  try {
    expect(format.asRange("2026-11-01", "2026-11-30")).toBe("01.11.2026 – 30.11.2026");
  } finally {
    Intl.DateTimeFormat.prototype.formatRange = formatRange;
  }
});

it("leaves what is no day as it came", async () => {
  const { format } = await formattersOf("de-DE");
  expect([format.asDay("soon"), format.asLongDay(""), format.asMoment("soon")]).toEqual(["soon", "", "soon"]);
  expect(format.asRange("soon", "later")).toBe("soon – later");
});
