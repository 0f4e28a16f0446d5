/** The state of the screen: what was answered last, for which view, and what stands in the way of a newer answer. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Answer, ask, Failure } from "./asking";
import type { Session } from "./session";
import { type View, variablesOf } from "./view";

const REFRESH_SECONDS = 15;

export type Screen = Readonly<{
  /** The last answer; kept while a newer one is awaited, or cannot be had. */
  answer: Answer | null;
  /** Whether the answer is for the view that is asked for, and not for the one before it. */
  isCurrent: boolean;
  failure: Failure | null;
  /** When its numbers last changed before the viewer's eyes, and when they were last found unchanged or new. */
  changedAt: Date | null;
  checkedAt: Date | null;
}>;

const NOTHING_YET: Screen = { answer: null, isCurrent: false, failure: null, changedAt: null, checkedAt: null };

/** Keeps the view's answer up to date while the page is looked at; the function asks at once. */
export function useScreen(session: Session, view: View): [Screen, () => void] {
  const [screen, setScreen] = useState(NOTHING_YET);
  const [turn, setTurn] = useState(0);
  const etag = useRef<string | null>(null);
  const shownFor = useRef<View | null>(null);
  const retry = useCallback(() => setTurn((last) => last + 1), []);

  useEffect(() => {
    const stopped = new AbortController();
    let timer = 0;
    if (shownFor.current !== view) {
      etag.current = null;
      setScreen((last) => ({ ...last, isCurrent: false }));
    }

    const look = async (): Promise<void> => {
      let next = REFRESH_SECONDS;
      try {
        const token = await session.token();
        if (!token) throw new Failure("signed-out", "Sign in to see your numbers.");
        const answer = await ask(token, variablesOf(view), etag.current, stopped.signal);
        const now = new Date();
        if (answer === "unchanged") {
          setScreen((last) => ({ ...last, failure: null, checkedAt: now }));
        } else {
          etag.current = answer.etag;
          shownFor.current = view;
          setScreen({ answer, isCurrent: true, failure: null, changedAt: now, checkedAt: now });
        }
      } catch (error) {
        if (stopped.signal.aborted) return;
        const failure = error instanceof Failure ? error : new Failure("failed", String(error));
        if (failure.kind !== "away") etag.current = null;
        setScreen((last) => (failure.kind === "signed-out" ? { ...NOTHING_YET, failure } : { ...last, failure }));
        if (failure.kind !== "away") return;
        next = failure.retrySeconds ?? REFRESH_SECONDS;
      }
      if (!stopped.signal.aborted) timer = window.setTimeout(whenSeen, next * 1000);
    };
    const whenSeen = (): void => {
      if (document.visibilityState === "visible") void look();
    };
    const seenAgain = (): void => {
      window.clearTimeout(timer);
      whenSeen();
    };

    void look();
    document.addEventListener("visibilitychange", seenAgain);
    return () => {
      stopped.abort();
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", seenAgain);
    };
  }, [session, view, turn]);

  return [screen, retry];
}
