/** The key figures, each with the line of its days where it has one. */

import type { DashboardQuery } from "../../generated";
import { onDays } from "../days";
import { asDuration, asPercent, asShare, asShortNumber } from "../format";
import { Wrong } from "../panel";
import { Sparkline } from "../sparkline";

type KpisProps = Pick<DashboardQuery, "overview" | "timeseries" | "quality"> & {
  /** All of the range, of which the reports have only those with calls. */
  days: readonly string[];
  wrong: string | undefined;
};
type Maybe = number | null | undefined;
type Day = NonNullable<DashboardQuery["timeseries"]>["data"][number];

/** What is said below a figure; nothing where it would be of nothing. */
const said = (value: Maybe, written: (value: Maybe) => string, words: string): string =>
  value == null ? "" : `${written(value)} ${words}`;
const share = (part = 0, whole = 0): number | null => (whole > 0 ? part / whole : null);

export function Kpis({ overview, timeseries, quality, days, wrong }: KpisProps) {
  const summary = overview?.summary;
  const known = onDays(days, timeseries?.data ?? []);
  const line = (of: (day: Day) => number | null, without: number | null) => (
    <Sparkline values={known.map((day) => (day ? of(day) : without))} />
  );
  const count = (metric: Exclude<keyof Day, "__typename" | "date">) => line((day) => day[metric], 0);
  const cards = [
    {
      name: "Calls",
      value: asShortNumber(summary?.totalCalls),
      remark: said(summary?.completedCalls, asShortNumber, "completed"),
      line: count("totalCalls"),
    },
    {
      name: "Contact rate",
      value: asPercent(summary?.contactRate),
      remark: said(summary?.connectedCalls, asShortNumber, "connected"),
      line: line((day) => share(day.connectedCalls, day.totalCalls), null),
    },
    {
      name: "Conversations",
      value: asShortNumber(summary?.conversationsHad),
      remark: said(share(summary?.conversationsHad, summary?.totalCalls), asShare, "of calls"),
      line: count("conversationsHad"),
    },
    {
      name: "Qualified leads",
      value: asShortNumber(summary?.qualifiedLeads),
      remark: said(share(summary?.qualifiedLeads, summary?.totalCalls), asShare, "of calls"),
      line: count("qualifiedLeads"),
    },
    {
      name: "Meetings booked",
      value: asShortNumber(summary?.meetingsBooked),
      remark: said(share(summary?.meetingsBooked, summary?.qualifiedLeads), asShare, "of qualified"),
      line: count("meetingsBooked"),
    },
    {
      name: "Conversion",
      value: asPercent(summary?.overallConversionRate),
      remark: "of all calls",
      line: line((day) => share(day.meetingsBooked, day.totalCalls), null),
    },
    {
      name: "Average call",
      value: asDuration(summary?.avgDurationSeconds),
      remark: said(summary?.totalDurationSeconds, asDuration, "in all"),
      line: line((day) => day.avgDurationSeconds, null),
    },
    {
      name: "Positive sentiment",
      value: asPercent(summary?.positiveSentimentPct),
      remark: said(summary?.negativeSentimentPct, asPercent, "negative"),
      line: <Sparkline values={onDays(days, quality?.trend ?? []).map((day) => day?.sentimentPositivePct ?? null)} />,
    },
  ];
  return (
    <section class="area-kpis kpis" aria-label="Key figures">
      {wrong ? (
        <Wrong words={wrong} isPanel />
      ) : (
        <dl>
          {cards.map(({ name, value, remark, line }) => (
            <div key={name} class="panel kpi">
              <dt>{name}</dt>
              <dd class="kpi-value">{value}</dd>
              <dd class="remark">{remark}</dd>
              <dd class="kpi-line">{line}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
