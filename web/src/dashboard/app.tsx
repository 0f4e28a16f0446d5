/** The page: filters above, the seven reports below, and what stands in their way. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { Announced } from "./announced";
import { Filters } from "./filters";
import { PrintedHead } from "./printed";
import { Reports, Skeletons } from "./reports";
import { useScreen } from "./screen";
import type { Session } from "./session";
import { SignIn } from "./signin";
import { Status } from "./status";
import { ThemeSwitch } from "./theme";
import { readView, type View, writeView } from "./view";

export function App({ session }: { session: Session }) {
  const [view, change] = useView();
  const [screen, retry] = useScreen(session, view);
  const { answer, failure } = screen;
  if (failure?.kind === "signed-out" && session.way !== "given")
    return <SignIn session={session} why={failure.message} onDone={retry} />;

  const signOut = async (): Promise<void> => {
    await session.signOut();
    retry();
  };
  return (
    <>
      <header class="top">
        <h1>Calls</h1>
        <Filters
          view={view}
          choices={answer?.data.choices}
          refused={failure?.kind === "refused" ? failure.message : null}
          onChange={change}
        />
        <div class="top-end">
          <ThemeSwitch />
          {session.way !== "given" && (
            <button type="button" class="quiet" onClick={() => void signOut()}>
              Sign out
            </button>
          )}
        </div>
      </header>
      <Status screen={screen} isGiven={session.way === "given"} onRetry={retry} />
      <PrintedHead screen={screen} />
      <Announced screen={screen} view={view} />
      <main class="grid" aria-busy={screen.settled !== view && (answer !== null || failure === null)}>
        {answer ? (
          <Reports answer={answer} view={view} change={change} />
        ) : failure ? (
          <p class="panel area-all panel-note">There are no numbers to show yet.</p>
        ) : (
          <Skeletons />
        )}
      </main>
    </>
  );
}

/** The view of the address bar; a change is a step that the browser's Back undoes, unless it continues the last one. */
function useView(): [View, (changed: Partial<View>, isSameStep?: boolean) => void] {
  const [view, setView] = useState(() => readView(location.search));
  useEffect(() => {
    const moved = (): void => setView(readView(location.search));
    addEventListener("popstate", moved);
    return () => removeEventListener("popstate", moved);
  }, []);
  const change = useCallback((changed: Partial<View>, isSameStep = false): void => {
    const isTurn = "batchesPage" in changed;
    const next = { ...readView(location.search), ...(isTurn ? {} : { batchesPage: 0 }), ...changed };
    const address = `${location.pathname}${writeView(next)}`;
    if (isSameStep) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    setView(next);
  }, []);
  return [view, change];
}
