/** The state of the screen: what was answered last, for which view, and what stands in the way of a newer answer. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { type Answer, ask, Failure } from "./asking";
import type { Session } from "./session";
import { type View, variablesOf } from "./view";

const REFRESH_SECONDS = 15;
/** Longer than the gateway takes for its longest answer; after it, the way there is taken to be cut. */
const PATIENCE_SECONDS = 60;

export type Screen = Readonly<{
  /** The last answer; kept while a newer one is awaited, or cannot be had. */
  answer: Answer | null;
  /** The view that it shows. */
  view: View | null;
  /** The view that was asked for last and answered, if only by what is wrong with it. */
  settled: View | null;
  failure: Failure | null;
  /** When its numbers last changed before the viewer's eyes, and when they were last found unchanged or new. */
  changedAt: Date | null;
  checkedAt: Date | null;
}>;

const NOTHING_YET: Screen = {
  answer: null,
  view: null,
  settled: null,
  failure: null,
  changedAt: null,
  checkedAt: null,
};

/** Keeps the view's answer up to date while the page is looked at; the function asks at once. */
export function useScreen(session: Session, view: View): [Screen, () => void] {
  const [screen, setScreen] = useState(NOTHING_YET);
  const [turn, setTurn] = useState(0);
  const retry = useCallback(() => setTurn((last) => last + 1), []);

  useEffect(() => {
    let isOver = false;
    let etag: string | null = null;

    /** Asks once, and gives after how many seconds it is worth asking again. */
    const look = async (signal: AbortSignal): Promise<number> => {
      try {
        const answer = await Promise.race([asked(session, view, etag, signal), stopped(signal)]);
        if (isOver) return Infinity;
        const now = new Date();
        if (answer === "unchanged") {
          setScreen((last) => ({ ...last, failure: null, checkedAt: now }));
        } else if (answer.refused) {
          const failure = new Failure("refused", answer.refused);
          // What was shown stays; before that, what can be shown of this one.
          setScreen((last) => ({ ...last, ...(!last.answer && { answer, view }), settled: view, failure }));
          return Infinity;
        } else {
          etag = answer.etag;
          setScreen({ answer, view, settled: view, failure: null, changedAt: now, checkedAt: now });
        }
        return REFRESH_SECONDS;
      } catch (error) {
        if (isOver) return Infinity;
        const failure = error instanceof Failure ? error : new Failure("failed", String(error));
        setScreen((last) => (failure.kind === "signed-out" ? { ...NOTHING_YET, failure } : { ...last, failure }));
        return failure.kind === "away" ? (failure.retrySeconds ?? REFRESH_SECONDS) : Infinity;
      }
    };
    const stop = whileSeen(look);
    return () => {
      isOver = true;
      stop();
    };
  }, [session, view, turn]);

  return [screen, retry];
}

async function asked(session: Session, view: View, etag: string | null, signal: AbortSignal) {
  const token = await session.token();
  if (!token) throw new Failure("signed-out", "Sign in to see your numbers.");
  try {
    return await ask(token, variablesOf(view), etag, signal);
  } catch (error) {
    // By the viewer's clock, which may be slow, it was good still.
    const isRefused = error instanceof Failure && error.kind === "signed-out";
    const renewed = isRefused ? await session.renew() : null;
    if (renewed) return ask(renewed, variablesOf(view), etag, signal);
    throw error;
  }
}

const stopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Failure("away", "The gateway does not answer.")));
  });

/** Looks now, and again after as many seconds as each look gives, but only while the page is seen: one look at a time.
 *
 * A look is told to stop when it has lasted too long. Gives what ends it all.
 */
export function whileSeen(look: (signal: AbortSignal) => Promise<number>): () => void {
  let timer = 0;
  let due = 0;
  let current: AbortController | null = null;

  const lookNow = async (): Promise<void> => {
    const own = new AbortController();
    current = own;
    timer = window.setTimeout(() => own.abort(), PATIENCE_SECONDS * 1000);
    const seconds = await look(own.signal);
    if (current !== own) return;
    current = null;
    due = performance.now() + seconds * 1000;
    plan();
  };
  // Whatever happens, there is one timer: that of the look under way, or that until the next.
  const plan = (): void => {
    if (current) return;
    window.clearTimeout(timer);
    if (document.visibilityState === "visible" && due < Infinity)
      timer = window.setTimeout(() => void lookNow(), Math.max(0, due - performance.now()));
  };

  void lookNow();
  document.addEventListener("visibilitychange", plan);
  return () => {
    document.removeEventListener("visibilitychange", plan);
    window.clearTimeout(timer);
    current?.abort();
    current = null;
    due = Infinity;
  };
}
