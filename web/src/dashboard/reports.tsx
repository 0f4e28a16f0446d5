/** The seven reports, each in its panel, and what stands in their place while there are none. */

import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { Answer, ReportName } from "./asking";
import { daysBetween } from "./days";
import { Guarded, PanelSkeleton, SAID_ABOVE } from "./panel";
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
import type { View } from "./view";

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
type Area = (typeof AREAS)[number][0];

type ReportsProps = { answer: Answer; view: View; change: (changed: Partial<View>) => void };

export function Reports({ answer, view, change }: ReportsProps) {
  const { data } = answer;
  const days = useMemo(() => tried(() => daysOf(data)) ?? [], [data]);
  const isNew = tried(() => hasNoCallsYet(data, view));
  if (isNew && tried(() => hasNothingElse(data))) return <FirstSteps />;

  const none = isNew ? "No calls yet." : "No calls on these days.";
  const wrongOf = (report: ReportName): string | undefined => {
    const wrong = answer.wrong[report];
    return wrong && (wrong === answer.shared || wrong === answer.refused) ? SAID_ABOVE : wrong;
  };
  const panels: Record<Area, ComponentChildren> = {
    kpis: (
      <Kpis
        overview={data.overview}
        timeseries={data.timeseries}
        quality={data.quality}
        days={days}
        wrong={wrongOf("overview")}
      />
    ),
    trend: <Trend report={data.timeseries} days={days} none={none} wrong={wrongOf("timeseries")} />,
    funnel: <FunnelPanel report={data.funnel} none={none} wrong={wrongOf("funnel")} />,
    heatmap: (
      <HeatmapPanel
        report={data.heatmap}
        wrong={wrongOf("heatmap")}
        none={none}
        view={view}
        onMetric={(heatmapMetric) => change({ heatmapMetric })}
      />
    ),
    quality: <QualityPanel report={data.quality} days={days} none={none} wrong={wrongOf("quality")} />,
    campaigns: (
      <Campaigns
        report={data.campaigns}
        running={data.running}
        wrong={wrongOf("campaigns")}
        onCampaign={(campaignId) => change({ campaignId })}
      />
    ),
    batches: (
      <Batches
        report={data.campaigns}
        choices={data.choices}
        wrong={wrongOf("campaigns")}
        page={view.batchesPage}
        onPage={(batchesPage) => change({ batchesPage })}
      />
    ),
    objections: <ObjectionsPanel report={data.objections} wrong={wrongOf("objections")} />,
    outcomes: <Outcomes report={data.overview} wrong={wrongOf("overview")} />,
    rests: <Rests freshness={data.freshness} objections={data.objections} wrong={wrongOf("freshness")} />,
  };
  return (
    <>
      {AREAS.map(([area, title]) => (
        <Guarded key={area} area={area} title={title} answer={answer}>
          {panels[area]}
        </Guarded>
      ))}
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

/** Not an empty range, nor a campaign that nobody calls for, but an agency that has only begun. */
const hasNoCallsYet = ({ viewer, overview }: Answer["data"], { clientId, campaignId }: View): boolean =>
  !clientId && !campaignId && viewer?.agency.firstCallAt === null && overview?.summary.totalCalls === 0;

const hasNothingElse = ({ choices, campaigns }: Answer["data"]): boolean =>
  choices?.campaigns.length === 0 && campaigns?.pagination.total === 0;

/** Undefined where it fails: what several panels share is not to take them along; the one that needs it then says so. */
function tried<Found>(find: () => Found): Found | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
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

export function Skeletons() {
  return (
    <>
      {AREAS.map(([area, title]) => (
        <PanelSkeleton key={area} area={area} title={title} />
      ))}
    </>
  );
}
