/** How calls were led: means of the range, sentiment, and the days. */

import { useMemo } from "preact/hooks";
import type { DashboardQuery } from "../../generated";
import { DaysChart, type Line } from "../chart";
import { asDuration, asNumber, asPercent, asShare, asWholeShare } from "../format";
import { Panel } from "../panel";

const ofPercent = (percent: number | null): number | null => (percent === null ? null : percent / 100);

export function QualityPanel({ report, wrong }: { report: DashboardQuery["quality"]; wrong: string | undefined }) {
  const summary = report?.quality;
  const figures = [
    ["Average call", asDuration(summary?.avgDurationSeconds)],
    ["Agent’s talk share", asShare(summary?.avgTalkRatio)],
    ["Script adherence", asShare(summary?.avgScriptAdherence)],
    ["Objections handled", asPercent(summary?.objectionHandlingRate)],
  ] as const;
  const days = useMemo(() => report?.trend.map(({ date }) => date) ?? [], [report]);
  const lines = useMemo((): Line[] => {
    const trend = report?.trend ?? [];
    return [
      {
        name: "Interruptions",
        color: "--line-quiet",
        values: trend.map((day) => day.interruptions),
        written: asNumber,
        isBar: true,
        scale: "right",
      },
      {
        name: "Positive sentiment",
        color: "--positive",
        values: trend.map((day) => ofPercent(day.sentimentPositivePct)),
        written: asShare,
        marked: asWholeShare,
      },
      {
        name: "Script adherence",
        color: "--line-1",
        values: trend.map((day) => day.avgScriptAdherence),
        written: asShare,
        marked: asWholeShare,
      },
    ];
  }, [report]);
  return (
    <Panel
      title="Quality"
      area="quality"
      wrong={wrong}
      empty={report?.trend.length === 0 && "There were no calls on these days."}
    >
      <dl class="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {summary && <Sentiment {...summary.sentimentDistribution} />}
      <ul class="legend" aria-hidden="true">
        {lines.map(({ name, color }) => (
          <li key={name} style={{ "--chip": `var(${color})` }}>
            {name}
          </li>
        ))}
      </ul>
      <DaysChart label="Quality by day" days={days} lines={lines} height={170} />
    </Panel>
  );
}

type SentimentProps = { positive: number; neutral: number; negative: number };

function Sentiment({ positive, neutral, negative }: SentimentProps) {
  const all = positive + neutral + negative;
  const parts = [
    { name: "Positive", number: positive, kind: "positive" },
    { name: "Neutral", number: neutral, kind: "neutral" },
    { name: "Negative", number: negative, kind: "negative" },
  ];
  return (
    <div class="sentiment">
      <div class="stack" aria-hidden="true">
        {parts.map(({ name, number, kind }) => (
          <span key={name} class={kind} style={{ flexGrow: number }} />
        ))}
      </div>
      <ul aria-label="Sentiment">
        {parts.map(({ name, number, kind }) => (
          <li key={name} class={kind}>
            {name} <strong>{asNumber(number)}</strong>{" "}
            <span class="remark">{asPercent(all ? (100 * number) / all : null)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
