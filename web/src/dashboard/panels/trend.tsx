/** How the days went, in the metrics of one's choice: several of one unit, since they share a scale. */

import { useMemo, useState } from "preact/hooks";
import type { DashboardQuery } from "../../generated";
import { DaysChart } from "../chart";
import { onDays } from "../days";
import { asDuration, asNumber, asShare, asWholeShare } from "../format";
import { Panel } from "../panel";
import type { Line } from "../plot";

type Report = NonNullable<DashboardQuery["timeseries"]>;
type Metric = Exclude<keyof Report["data"][number], "date" | "__typename">;

const UNITS = {
  calls: { written: asNumber },
  duration: { written: asDuration, steps: [15, 30, 60, 120, 300, 600, 1800, 3600] },
  share: { written: asShare, marked: asWholeShare, most: 1 },
} as const;

const METRICS: readonly { metric: Metric; name: string; unit: keyof typeof UNITS; color: string }[] = [
  { metric: "totalCalls", name: "Calls", unit: "calls", color: "--line-1" },
  { metric: "connectedCalls", name: "Connected", unit: "calls", color: "--line-2" },
  { metric: "conversationsHad", name: "Conversations", unit: "calls", color: "--line-3" },
  { metric: "qualifiedLeads", name: "Qualified", unit: "calls", color: "--line-4" },
  { metric: "meetingsBooked", name: "Meetings", unit: "calls", color: "--line-5" },
  { metric: "completedCalls", name: "Completed", unit: "calls", color: "--line-6" },
  { metric: "avgDurationSeconds", name: "Average call", unit: "duration", color: "--line-1" },
  { metric: "avgTalkRatio", name: "Agent’s talk share", unit: "share", color: "--line-2" },
];

type TrendProps = {
  report: DashboardQuery["timeseries"];
  /** All of the range, of which the report has only those with calls. */
  days: readonly string[];
  /** Said where there are no calls. */
  none: string;
  wrong: string | undefined;
};

export function Trend({ report, days, none, wrong }: TrendProps) {
  const [chosen, setChosen] = useState<readonly Metric[]>(["totalCalls", "connectedCalls", "meetingsBooked"]);
  const shown = useMemo(() => METRICS.filter(({ metric }) => chosen.includes(metric)), [chosen]);
  const lines = useMemo((): Line[] => {
    const known = onDays(days, report?.data ?? []);
    return shown.map(({ metric, name, unit, color }) => ({
      name,
      color,
      ...UNITS[unit],
      values: known.map((day) => day?.[metric] ?? (unit === "calls" ? 0 : null)),
    }));
  }, [report, days, shown]);

  const choose = (metric: Metric, isOn: boolean): void => {
    const unit = METRICS.find((other) => other.metric === metric)?.unit;
    const kept = shown.filter((other) => other.metric !== metric && other.unit === unit).map((other) => other.metric);
    const next = isOn ? [...kept, metric] : kept;
    // The last one stays, and its box, which the browser has unchecked by now, is drawn anew.
    setChosen(next.length > 0 ? next : [...chosen]);
  };
  return (
    <Panel
      title="Trend"
      area="trend"
      wrong={wrong}
      empty={report?.data.length === 0 && none}
      aside={
        <fieldset class="chips">
          <legend class="unseen">Metrics</legend>
          {METRICS.map(({ metric, name, color }) => (
            <label key={metric} style={{ "--chip": `var(${color})` }}>
              <input
                type="checkbox"
                checked={chosen.includes(metric)}
                onChange={(event) => choose(metric, event.currentTarget.checked)}
              />
              <span>{name}</span>
            </label>
          ))}
        </fieldset>
      }
    >
      <DaysChart
        name="Trend by day"
        label={`By day: ${shown.map(({ name }) => name).join(", ")}`}
        days={days}
        lines={lines}
        height={260}
      />
    </Panel>
  );
}
