import { describe, expect, it } from "vitest";
import { findLocale } from "./locale";

const ENGLISH = "en-u-ca-gregory-nu-latn";

describe("the locale", () => {
  it("is the first that is known, of our calendar and digits", () => {
    expect(findLocale(["de-CH", "fr"])).toBe("de-CH-u-ca-gregory-nu-latn");
    expect(findLocale(["tlh", "fr"])).toBe("fr-u-ca-gregory-nu-latn");
    expect(findLocale(["th-TH-u-ca-buddhist-nu-thai"])).toBe("th-TH-u-ca-gregory-nu-latn");
  });

  it("keeps whether the viewer's day has twelve hours or twenty-four", () => {
    expect(findLocale(["en-US-u-hc-h23"])).toBe("en-US-u-ca-gregory-hc-h23-nu-latn");
  });

  it.each([
    ["en-US@posix", "en-US-u-ca-gregory-nu-latn"],
    ["en-US-u-va-posix", "en-US-u-ca-gregory-nu-latn"],
    ["de_DE.UTF-8@euro", "de-DE-u-ca-gregory-nu-latn"],
    ["zh_Hant_TW", "zh-Hant-TW-u-ca-gregory-nu-latn"],
  ])("is read as Linux spells it: %s", (spelled, found) => {
    expect(findLocale([spelled])).toBe(found);
  });

  it.each([
    "C",
    "POSIX",
    "C.UTF-8",
    "",
    " ",
    "*",
    "und",
    "root",
    "x-private",
    "i-klingon",
    "en-",
    "0",
    "🦆",
    null,
    undefined,
    7,
    {},
  ])("is English, or the next, for what is no language: %s", (language) => {
    expect(findLocale([language])).toBe(ENGLISH);
    expect(findLocale([language, "fr-CA"])).toBe("fr-CA-u-ca-gregory-nu-latn");
  });

  it("is English for who has no language", () => {
    expect(findLocale([])).toBe(ENGLISH);
  });
});
