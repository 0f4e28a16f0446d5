import { afterEach, describe, expect, it, vi } from "vitest";
import { aboutToken, cleaned, firstToken, keepToken } from "./token";

const NOW = new Date("2026-11-23T12:00:00Z");
const tokenOf = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

afterEach(() => vi.unstubAllGlobals());

function tab(answer: () => Promise<Response>): Map<string, string> {
  const kept = new Map<string, string>();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
    removeItem: (name: string) => kept.delete(name),
  });
  vi.stubGlobal("fetch", answer);
  return kept;
}

it("is taken as a header shows it", () => {
  expect(["a.b.c", " a.b.c\n", "Bearer a.b.c", "bearer  a.b.c "].map(cleaned)).toEqual(Array(4).fill("a.b.c"));
});

describe("what is said of a token", () => {
  it("is that there is none", () => {
    expect(aboutToken("", NOW)).toEqual({ isUsable: false, words: "No token: paste one, and queries are answered." });
  });

  it("is that it is none", () => {
    for (const other of ["secret", "a.b", "a.!.c", `a.${btoa("[")}.c`])
      expect(aboutToken(other, NOW)).toEqual({ isUsable: false, words: "This is not an access token." });
  });

  it("is until when it is good", () => {
    const seconds = NOW.getTime() / 1000;
    expect(aboutToken(tokenOf({ exp: seconds + 1, name: "Zoë ÿ?>" }), NOW).isUsable).toBe(true);
    const expired = aboutToken(tokenOf({ exp: seconds }), NOW);
    expect(expired).toEqual({ isUsable: false, words: "Expired 23 Nov 2026, 17:45: paste a new one." });
    expect(aboutToken(tokenOf({ sub: "somebody" }), NOW).isUsable).toBe(true);
  });
});

describe("the first token", () => {
  it("is the tab's own before the gateway's", async () => {
    tab(async () => Response.json({ token: "given" }));
    keepToken("own");
    expect(await firstToken()).toBe("own");
    keepToken("");
    expect(await firstToken()).toBe("given");
  });

  it("is none where the gateway gives none away, refuses, or is not there", async () => {
    tab(async () => Response.json({ token: null }));
    expect(await firstToken()).toBe("");
    tab(async () => new Response("no", { status: 403 }));
    expect(await firstToken()).toBe("");
    tab(async () => Promise.reject(new TypeError("Failed to fetch")));
    expect(await firstToken()).toBe("");
  });
});
