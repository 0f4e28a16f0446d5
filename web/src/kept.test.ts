import { expect, it } from "vitest";
import { keptIn } from "./kept";

const forbidden = (): Storage => {
  throw new Error("SecurityError");
};

it("is remembered by the browser", () => {
  const there = new Map<string, string>();
  const storage = {
    getItem: (key: string) => there.get(key) ?? null,
    setItem: (key: string, value: string) => void there.set(key, value),
    removeItem: (key: string) => void there.delete(key),
  } as unknown as Storage;
  const kept = keptIn(() => storage);
  expect(kept.getItem("theme")).toBeNull();
  kept.setItem("theme", "dark");
  expect([kept.getItem("theme"), there.get("theme")]).toEqual(["dark", "dark"]);
  there.set("theme", "light"); // by another tab
  expect(kept.getItem("theme")).toBe("light");
  kept.removeItem("theme");
  expect(there.size).toBe(0);
});

it.each([
  ["forbids it", forbidden],
  [
    "has no room for it",
    () =>
      ({
        getItem: () => null,
        removeItem: () => {},
        setItem: () => {
          throw new Error("QuotaExceededError");
        },
      }) as unknown as Storage,
  ],
])("lasts as long as the page where the browser %s", (_, find) => {
  const kept = keptIn(find);
  expect(kept.getItem("theme")).toBeNull();
  kept.setItem("theme", "dark");
  expect(kept.getItem("theme")).toBe("dark");
  kept.removeItem("theme");
  expect(kept.getItem("theme")).toBeNull();
});
