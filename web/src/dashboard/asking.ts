/** Asks the gateway for the whole screen: one document, by GET, so that what has not changed need not be sent again. */

import type { DashboardQuery, DashboardQueryVariables } from "../generated";
import source from "./dashboard.graphql?raw";

export type ReportName = Exclude<keyof DashboardQuery, "__typename">;

export type Answer = Readonly<{
  data: DashboardQuery;
  /** What went wrong with single reports, whose data is null then. */
  wrong: Readonly<Partial<Record<ReportName, string>>>;
  /** The same, if several share it: then it is of none of them, and said once. */
  shared: string | null;
  /** What is wrong with the question, for which the reports that it concerns have no data. */
  refused: string | null;
  etag: string | null;
}>;

/** Why there is no answer at all. */
export class Failure extends Error {
  constructor(
    readonly kind: "signed-out" | "away" | "failed" | "refused",
    message: string,
    /** After how long it is worth asking again. */
    readonly retrySeconds: number | null = null,
  ) {
    super(message);
  }
}

type Wrong = { message: string; path?: (string | number)[]; extensions?: { code?: string } };

// As short as its meaning allows: it is in every address.
const document = source
  .replace(/#.*$/gm, "")
  .replace(/\s+/g, " ")
  .replace(/ ?([{}():=]) ?/g, "$1")
  .trim();

/** The answer, or `unchanged` when it is the one that `etag` names.
 *
 * Throws a Failure.
 */
export async function ask(
  token: string,
  variables: DashboardQueryVariables,
  etag: string | null,
  signal: AbortSignal,
): Promise<Answer | "unchanged"> {
  const query = new URLSearchParams({ query: document, variables: JSON.stringify(variables) });
  const headers: Record<string, string> = {
    Accept: "application/graphql-response+json",
    Authorization: `Bearer ${token}`,
  };
  if (etag) headers["If-None-Match"] = etag;
  let response: Response;
  try {
    response = await fetch(`/graphql?${query}`, { headers, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Failure("away", "The gateway does not answer.", 5);
  }
  if (response.status === 304) return "unchanged";
  const body = (await response.json().catch(() => ({}))) as { data?: DashboardQuery; errors?: Wrong[] };
  const first = body.errors?.[0]?.message ?? `The gateway answered with status ${response.status}.`;
  if (response.status === 401) throw new Failure("signed-out", first);
  if (response.status === 429 || response.status >= 500)
    throw new Failure("away", first, Number(response.headers.get("Retry-After")) || 5);
  if (!response.ok || !body.data) throw new Failure("failed", first);
  const wrong: Partial<Record<ReportName, string>> = {};
  let refused: string | null = null;
  for (const { message, path, extensions } of body.errors ?? []) {
    if (path) wrong[path[0] as ReportName] ??= message;
    if (extensions?.code === "BAD_FILTER") refused ??= message;
  }
  const words = Object.values(wrong);
  const shared = words.find((message, place) => words.indexOf(message) !== place) ?? null;
  return { data: body.data, wrong, shared, refused, etag: response.headers.get("ETag") };
}
