import { describe, expect, it } from "vitest";
import { isPlausible, mistakeIn } from "./range";

it("takes no day whose year is still being typed", () => {
  for (const day of ["0002-02-10", "0020-02-10", "0202-02-10", "1969-12-31", "2200-01-01", "20260-01-01", ""])
    expect(isPlausible(day)).toBe(false);
  for (const day of ["1970-01-01", "2026-02-10", "2199-12-31"]) expect(isPlausible(day)).toBe(true);
});

describe("a mistake in a range", () => {
  it("is none while one of its days is not there", () => {
    expect([mistakeIn("", ""), mistakeIn("2026-02-10", ""), mistakeIn("", "2026-02-10")]).toEqual([null, null, null]);
  });

  it("is none in one day, and in as many as are counted", () => {
    expect(mistakeIn("2026-02-10", "2026-02-10")).toBeNull();
    expect(mistakeIn("2024-01-01", "2026-12-31")).toBeNull();
  });

  it("is an end before the beginning, or a day too many", () => {
    expect(mistakeIn("2026-02-10", "2026-02-09")).toBe("The range ends before it begins.");
    expect(mistakeIn("2023-12-31", "2026-12-31")).toBe("The range has 1,097 days; at most 1,096 are counted.");
  });
});
