import { expect, it } from "vitest";
import { named, withoutTurns, written } from "./direction";

it("leaves alone what is written from left to right", () => {
  for (const text of ["Nov 1 – 30, 2026", "30.3%", "–", "12 พ.ย.", "2026/11/30"]) expect(written(text)).toBe(text);
  expect(named("Spring & Söhne")).toBe("Spring & Söhne");
});

it("keeps together what a locale writes from right to left", () => {
  for (const text of ["30 נוב׳", "30\u200f/11\u200f/2026", "1.2 مليون"])
    expect(written(text)).toBe(`\u2067${text}\u2069`);
});

it("lets a name turn nothing but itself", () => {
  expect(named("حملة الربيع")).toBe("\u2068حملة الربيع\u2069");
  // Neither one that turns what follows, nor one that ends what it is kept in.
  for (const evil of ["a\u202ebc", "\u2069\u202egnirpS", "\u2067x"]) {
    expect(named(evil)).toMatch(/^\u2068[^\u202a-\u202e\u2066-\u2069]*\u2069$/u);
    expect(withoutTurns(evil)).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/u);
  }
});
