/** The key figures, each with the line of its days where it has one. */

import type { DashboardQuery } from "../../generated";
import { asDuration, asPercent, asShortNumber, NOTHING } from "../format";
import { Sparkline } from "../sparkline";

type KpisProps = Pick<DashboardQuery, "overview" | "timeseries"> & { wrong: string | undefined };
type Day = NonNullable<DashboardQuery["timeseries"]>["data"][number];

const share = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);

export function Kpis({ overview, timeseries, wrong }: KpisProps) {
  const summary = overview?.summary;
  const days = timeseries?.data ?? [];
  const line = (of: (day: Day) => number | null) => <Sparkline values={days.map(of)} />;
  const cards = [
    { name: "Calls", value: asShortNumber(summary?.totalCalls), line: line((day) => day.totalCalls) },
    {
      name: "Contact rate",
      value: asPercent(summary?.contactRate),
      remark: `${asShortNumber(summary?.connectedCalls)} connected`,
      line: line((day) => share(day.connectedCalls, day.totalCalls)),
    },
    {
      name: "Conversations",
      value: asShortNumber(summary?.conversationsHad),
      line: line((day) => day.conversationsHad),
    },
    { name: "Qualified leads", value: asShortNumber(summary?.qualifiedLeads), line: line((day) => day.qualifiedLeads) },
    { name: "Meetings booked", value: asShortNumber(summary?.meetingsBooked), line: line((day) => day.meetingsBooked) },
    {
      name: "Conversion",
      value: asPercent(summary?.overallConversionRate),
      remark: "of all calls",
      line: line((day) => share(day.meetingsBooked, day.totalCalls)),
    },
    {
      name: "Average call",
      value: asDuration(summary?.avgDurationSeconds),
      remark: `${asDuration(summary?.totalDurationSeconds)} in all`,
      line: line((day) => day.avgDurationSeconds),
    },
    {
      name: "Positive sentiment",
      value: asPercent(summary?.positiveSentimentPct),
      remark: summary?.negativeSentimentPct == null ? NOTHING : `${asPercent(summary.negativeSentimentPct)} negative`,
    },
  ];
  return (
    <section class="area-kpis kpis" aria-label="Key figures">
      {wrong && (
        <p class="panel panel-note" role="alert">
          {wrong}
        </p>
      )}
      <dl>
        {cards.map(({ name, value, remark, line }) => (
          <div key={name} class="panel kpi">
            <dt>{name}</dt>
            <dd class="kpi-value">{value}</dd>
            <dd class="remark">{remark}</dd>
            {line && <dd class="kpi-line">{line}</dd>}
          </div>
        ))}
      </dl>
    </section>
  );
}
