import { describe, expect, it } from "vitest";
import { lonely, topOf } from "./scale";

describe("the top of a scale", () => {
  it.each([
    [[], 4],
    [[0, 0], 4],
    [[4], 4],
    [[5], 8],
    [[173, 20], 200],
    [[201], 400],
    [[1_234_567], 2_000_000],
  ])("has room for %j in four round steps", (counts, top) => {
    expect(topOf(counts)).toBe(top);
  });
});

describe("a lonely value", () => {
  it("has none beside it", () => {
    expect(lonely([null, 1, null, 2, 3, null, 0])).toEqual([null, 1, null, null, null, null, 0]);
    expect(lonely([7])).toEqual([7]);
  });
});
