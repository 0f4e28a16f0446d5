/** The page: filters above, the seven reports below, and what stands in their way. */

import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import type { Answer } from "./asking";
import { daysBetween } from "./days";
import { Filters } from "./filters";
import { asClock, asRange, asSentence } from "./format";
import { PanelSkeleton } from "./panel";
import { Batches } from "./panels/batches";
import { Campaigns } from "./panels/campaigns";
import { FunnelPanel } from "./panels/funnel";
import { HeatmapPanel } from "./panels/heatmap";
import { Kpis } from "./panels/kpis";
import { ObjectionsPanel } from "./panels/objections";
import { Outcomes } from "./panels/outcomes";
import { QualityPanel } from "./panels/quality";
import { Rests } from "./panels/rests";
import { Trend } from "./panels/trend";
import { type Screen, useScreen } from "./screen";
import type { Session } from "./session";
import { SignIn } from "./signin";
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
        <Filters view={view} choices={answer?.data.choices} onChange={change} />
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
      <main class="grid" aria-busy={!screen.isCurrent && (answer !== null || failure === null)}>
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

function Reports({ answer, view, change }: { answer: Answer; view: View; change: (changed: Partial<View>) => void }) {
  const { data, wrong } = answer;
  const days = useMemo(() => daysOf(data), [data]);
  if (isNewAgency(data, view)) return <FirstSteps />;
  return (
    <>
      <Kpis
        overview={data.overview}
        timeseries={data.timeseries}
        quality={data.quality}
        days={days}
        wrong={wrong.overview}
      />
      <Trend report={data.timeseries} days={days} wrong={wrong.timeseries} />
      <FunnelPanel report={data.funnel} wrong={wrong.funnel} />
      <HeatmapPanel
        report={data.heatmap}
        wrong={wrong.heatmap}
        view={view}
        onMetric={(heatmapMetric) => change({ heatmapMetric })}
      />
      <QualityPanel report={data.quality} days={days} wrong={wrong.quality} />
      <Campaigns
        report={data.campaigns}
        running={data.running}
        wrong={wrong.campaigns}
        onCampaign={(campaignId) => change({ campaignId })}
      />
      <Batches
        report={data.campaigns}
        choices={data.choices}
        wrong={wrong.campaigns}
        page={view.batchesPage}
        onPage={(batchesPage) => change({ batchesPage })}
      />
      <ObjectionsPanel report={data.objections} wrong={wrong.objections} />
      <Outcomes report={data.overview} wrong={wrong.overview} />
      <Rests freshness={data.freshness} objections={data.objections} wrong={wrong.freshness} />
    </>
  );
}

/** Every day of the range, with calls or without; where the range is not known, from the first with calls to the last. */
function daysOf({ overview, timeseries }: Answer["data"]): string[] {
  const known = timeseries?.data ?? [];
  const first = overview?.period.startDate ?? known[0]?.date;
  const last = overview?.period.endDate ?? known.at(-1)?.date;
  return first && last ? daysBetween(first, last) : [];
}

/** Nothing to narrow by and nothing counted: not an empty range, but an agency that has only begun. */
function isNewAgency(data: Answer["data"], view: View): boolean {
  const { choices, overview, freshness, campaigns } = data;
  return (
    !view.clientId &&
    !view.campaignId &&
    overview?.summary.totalCalls === 0 &&
    choices?.campaigns.length === 0 &&
    campaigns?.pagination.total === 0 &&
    freshness?.waitingCalls === 0 &&
    freshness.lastChangedAt === null
  );
}

function FirstSteps() {
  return (
    <section class="panel area-all first-steps">
      <h2>No calls yet</h2>
      <p>
        As soon as the platform writes its first call, its numbers appear here by themselves: volumes at once, quality
        and objections when the call has been analysed.
      </p>
    </section>
  );
}

type StatusProps = {
  screen: Screen;
  /** Whether the token came with the page, and so a new one comes with the gateway only. */
  isGiven: boolean;
  onRetry: () => void;
};

function Status({ screen, isGiven, onRetry }: StatusProps) {
  const { answer, failure, changedAt, checkedAt } = screen;
  const period = answer?.data.overview?.period;
  const said = [
    period && "UTC days",
    changedAt && `refreshed ${asClock(changedAt)}`,
    checkedAt && `checked ${asClock(checkedAt)}`,
  ];
  return (
    <div class="status">
      <p>
        {period && <strong>{asRange(period.startDate, period.endDate)}</strong>}
        {period && <span class="between"> · </span>}
        {said.filter(Boolean).join(" · ")}
      </p>
      <div role="status" aria-live="polite">
        {failure && (
          <p class={`notice notice-${failure.kind}`}>
            <span>
              {asSentence(failure.message)}
              {failure.kind === "signed-out" &&
                isGiven &&
                " It is the one that this gateway hands out: restart the demo for a new one, then reload the page."}
              {failure.kind === "away" &&
                (answer ? " These are the last numbers; asking again by itself." : " Asking again by itself.")}
            </span>
            <button type="button" onClick={onRetry}>
              Try again
            </button>
          </p>
        )}
      </div>
    </div>
  );
}

const AREAS = [
  ["kpis", "Key figures"],
  ["trend", "Trend"],
  ["funnel", "Funnel"],
  ["heatmap", "Best times to call"],
  ["quality", "Quality"],
  ["campaigns", "Campaigns"],
  ["batches", "Batches"],
  ["objections", "Objections and buying signals"],
  ["outcomes", "Outcomes"],
  ["rests", "What the numbers rest on"],
] as const;

function Skeletons() {
  return (
    <>
      {AREAS.map(([area, title]) => (
        <PanelSkeleton key={area} area={area} title={title} />
      ))}
    </>
  );
}

/** The view of the address bar; a change is a step that the browser's Back undoes. */
function useView(): [View, (changed: Partial<View>) => void] {
  const [view, setView] = useState(() => readView(location.search));
  useEffect(() => {
    const moved = (): void => setView(readView(location.search));
    addEventListener("popstate", moved);
    return () => removeEventListener("popstate", moved);
  }, []);
  const change = useCallback((changed: Partial<View>): void => {
    const isTurn = "batchesPage" in changed;
    const next = { ...readView(location.search), ...(isTurn ? {} : { batchesPage: 0 }), ...changed };
    history.pushState(null, "", `${location.pathname}${writeView(next)}`);
    setView(next);
  }, []);
  return [view, change];
}
