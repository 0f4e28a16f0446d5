import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { whileSeen } from "./screen";

/** The page's document, as far as it is asked. */
class Page extends EventTarget {
  visibilityState = "visible";

  turn(state: "visible" | "hidden"): void {
    this.visibilityState = state;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

let page: Page;
let looks: { signal: AbortSignal; end: (seconds: number) => void }[];
const look = (signal: AbortSignal): Promise<number> => new Promise((end) => looks.push({ signal, end }));

beforeEach(() => {
  vi.useFakeTimers();
  page = new Page();
  looks = [];
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("document", page);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

it("looks again after as many seconds as the last look gave", async () => {
  const stop = whileSeen(look);
  for (const [seconds, count] of [
    [15, 2],
    [2, 3],
    [15, 4],
  ] as const) {
    looks.at(-1)?.end(seconds);
    await pass(seconds - 0.1);
    expect(looks).toHaveLength(count - 1);
    await pass(0.2);
    expect(looks).toHaveLength(count);
  }
  stop();
});

it("has one look under way and one timer, however often the page is hidden and seen", async () => {
  const stop = whileSeen(look);
  for (let turn = 0; turn < 10; turn++) {
    page.turn("hidden");
    page.turn("visible");
  }
  expect(looks).toHaveLength(1);
  looks[0]?.end(15);
  await pass(1);
  for (let turn = 0; turn < 10; turn++) {
    page.turn("hidden");
    await pass(0.1);
    page.turn("visible");
  }
  expect([looks.length, vi.getTimerCount()]).toEqual([1, 1]);
  for (let minute = 1; minute <= 4; minute++) {
    await pass(15);
    expect(looks).toHaveLength(1 + minute);
    looks.at(-1)?.end(15);
  }
  stop();
});

it("looks at nothing while hidden, and at once when seen after that", async () => {
  const stop = whileSeen(look);
  looks[0]?.end(15);
  await pass(1);
  page.turn("hidden");
  await pass(3600);
  expect(looks).toHaveLength(1);
  page.turn("visible");
  await pass(0);
  expect(looks).toHaveLength(2);
  stop();
});

it("never looks again after a look that gives no time for it", async () => {
  const stop = whileSeen(look);
  looks[0]?.end(Infinity);
  await pass(3600);
  page.turn("hidden");
  page.turn("visible");
  await pass(3600);
  expect([looks.length, vi.getTimerCount()]).toEqual([1, 0]);
  stop();
});

it("tells a look that lasts too long, and one that is no longer wanted, to stop", async () => {
  const stop = whileSeen(look);
  await pass(59);
  expect(looks[0]?.signal.aborted).toBe(false);
  await pass(2);
  expect(looks[0]?.signal.aborted).toBe(true);
  looks[0]?.end(5);
  await pass(6);
  expect(looks).toHaveLength(2);
  stop();
  expect(looks[1]?.signal.aborted).toBe(true);
  looks[1]?.end(5);
  await pass(60);
  page.turn("visible");
  await pass(60);
  expect([looks.length, vi.getTimerCount()]).toEqual([2, 0]);
});
