/** How calls were led: means of the range, sentiment, and the days. */

import { useMemo } from "preact/hooks";
import type { DashboardQuery } from "../../generated";
import { DaysChart } from "../chart";
import { onDays } from "../days";
import { asDuration, asNumber, asPercent, asShare, asWholeShare } from "../format";
import { Panel } from "../panel";
import type { Line } from "../plot";
import { topOf } from "../scale";

const ofPercent = (percent: number | null | undefined): number | null => (percent == null ? null : percent / 100);

type QualityProps = {
  report: DashboardQuery["quality"];
  days: readonly string[];
  /** Said where there are no calls. */
  none: string;
  wrong: string | undefined;
};

export function QualityPanel({ report, days, none, wrong }: QualityProps) {
  const summary = report?.quality;
  const figures = [
    ["Average call", asDuration(summary?.avgDurationSeconds)],
    ["Agent’s talk share", asShare(summary?.avgTalkRatio)],
    ["Script adherence", asShare(summary?.avgScriptAdherence)],
    ["Objections handled", asPercent(summary?.objectionHandlingRate)],
  ] as const;
  const lines = useMemo((): Line[] => {
    const trend = onDays(days, report?.trend ?? []);
    return [
      {
        name: "Interruptions",
        color: "--line-quiet",
        values: trend.map((day) => day?.interruptions ?? null),
        written: asNumber,
        isBar: true,
        most: topOf(trend.map((day) => day?.interruptions ?? 0)),
        scale: "right",
      },
      {
        name: "Positive sentiment",
        color: "--positive",
        values: trend.map((day) => ofPercent(day?.sentimentPositivePct)),
        written: asShare,
        marked: asWholeShare,
        most: 1,
      },
      {
        name: "Script adherence",
        color: "--line-1",
        values: trend.map((day) => day?.avgScriptAdherence ?? null),
        written: asShare,
        marked: asWholeShare,
        most: 1,
      },
    ];
  }, [report, days]);
  return (
    <Panel title="Quality" area="quality" wrong={wrong} empty={report?.trend.length === 0 && none}>
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
        {lines.map(({ name, color, scale }) => (
          <li key={name} class="swatch" style={{ "--chip": `var(${color})` }}>
            {name}
            {scale === "right" && " (right)"}
          </li>
        ))}
      </ul>
      <DaysChart
        name="Quality by day"
        label={`By day: ${lines.map(({ name }) => name).join(", ")}`}
        days={days}
        lines={lines}
        height={170}
      />
    </Panel>
  );
}

type SentimentProps = { positive: number; neutral: number; negative: number };

function Sentiment({ positive, neutral, negative }: SentimentProps) {
  const all = positive + neutral + negative;
  const parts = [
    { name: "Positive", number: positive, color: "var(--positive)" },
    { name: "Neutral", number: neutral, color: "var(--neutral)" },
    { name: "Negative", number: negative, color: "var(--negative)" },
  ];
  return (
    <div class="sentiment">
      <div class="stack" aria-hidden="true">
        {parts.map(
          ({ name, number, color }) => number > 0 && <span key={name} style={{ flexGrow: number, "--chip": color }} />,
        )}
      </div>
      <ul aria-label="Sentiment">
        {parts.map(({ name, number, color }) => (
          <li key={name} style={{ "--chip": color }}>
            <span class="swatch">{name}</span> <strong>{asNumber(number)}</strong>{" "}
            <span class="remark">{asPercent(all ? (100 * number) / all : null)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
