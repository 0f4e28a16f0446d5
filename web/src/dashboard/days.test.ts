import { expect, it } from "vitest";
import { daysBetween, onDays } from "./days";

it("has both ends", () => {
  expect(daysBetween("2026-11-22", "2026-11-24")).toEqual(["2026-11-22", "2026-11-23", "2026-11-24"]);
});

it("is one day for a range of one, and none for a range that ends before it begins", () => {
  expect(daysBetween("2026-11-22", "2026-11-22")).toEqual(["2026-11-22"]);
  expect(daysBetween("2026-11-22", "2026-11-21")).toEqual([]);
});

it("goes over months, years and leap days", () => {
  expect(daysBetween("2027-12-31", "2028-01-01")).toEqual(["2027-12-31", "2028-01-01"]);
  expect(daysBetween("2028-02-28", "2028-03-01")).toEqual(["2028-02-28", "2028-02-29", "2028-03-01"]);
  expect(daysBetween("2026-01-01", "2026-12-31")).toHaveLength(365);
});

it("neither loses nor repeats a day where clocks are changed", () => {
  const spring = daysBetween("2026-03-01", "2026-11-30");
  expect(new Set(spring).size).toBe(spring.length);
  expect(spring).toHaveLength(275);
});

it("knows nothing of a day that a report does not have", () => {
  const known = [{ date: "2026-11-23", calls: 2 }];
  expect(onDays(["2026-11-22", "2026-11-23"], known)).toEqual([undefined, known[0]]);
});
