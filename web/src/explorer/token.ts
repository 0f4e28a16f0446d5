/** The token that queries are asked with. It lives in this tab, and goes with it. */

import { keptByTab } from "../kept";
import { LOCALE } from "../locale";

// The dashboard's name for it, so that who pasted one there need not do so again.
const KEPT = "token";

/** The tab's own, or else what the gateway gives away, as a demo's does; empty when there is none. */
export async function firstToken(): Promise<string> {
  const kept = keptByTab.getItem(KEPT);
  if (kept) return kept;
  const answer = await fetch("/page.json").catch(() => null);
  if (!answer?.ok) return "";
  const { token } = (await answer.json()) as { token: string | null };
  return token ?? "";
}

/** As it was pasted, with or without what a header puts before it. */
export const cleaned = (pasted: string): string => pasted.trim().replace(/^Bearer\s+/i, "");

export function keepToken(token: string): void {
  if (token) keptByTab.setItem(KEPT, token);
  else keptByTab.removeItem(KEPT);
}

/** What can be said of a token by looking at it; the gateway alone knows whether it is good. */
export function aboutToken(token: string, now: Date): { isUsable: boolean; words: string } {
  if (!token) return { isUsable: false, words: "No token: paste one, and queries are answered." };
  const ends = endOf(token);
  if (ends === "unreadable") return { isUsable: false, words: "This is not an access token." };
  if (ends === null) return { isUsable: true, words: "Kept in this tab only." };
  const when = ends.toLocaleString(LOCALE, { dateStyle: "medium", timeStyle: "short" });
  return ends <= now
    ? { isUsable: false, words: `Expired ${when}: paste a new one.` }
    : { isUsable: true, words: `Good until ${when}, kept in this tab only.` };
}

function endOf(token: string): Date | null | "unreadable" {
  const parts = token.split(".");
  if (parts.length !== 3) return "unreadable";
  try {
    const claims = JSON.parse(atob((parts[1] ?? "").replace(/-/g, "+").replace(/_/g, "/"))) as { exp?: unknown };
    return typeof claims.exp === "number" ? new Date(claims.exp * 1000) : null;
  } catch {
    return "unreadable";
  }
}
