/** The week by hours, in the viewer's own zone, and its best times. */

import type { DashboardQuery, HeatmapMetric } from "../../generated";
import { asNumber, asShortNumber, counted, zoneName } from "../format";
import { Panel } from "../panel";
import type { View } from "../view";
import { type Slot, WeekGrid } from "../week_grid";
import { localSlot, time, weekday, zoneMinutes } from "../zone";

type Report = NonNullable<DashboardQuery["heatmap"]>;

type Metric = {
  value: HeatmapMetric;
  name: string;
  /** What one and what several are called. */
  nouns: readonly [string, string];
  of: (slot: Report["heatmap"][number]) => number;
};
const METRICS: readonly [Metric, ...Metric[]] = [
  { value: "CALLS", name: "Calls", nouns: ["call", "calls"], of: (slot) => slot.totalCalls },
  { value: "CONNECTED", name: "Connected", nouns: ["connected", "connected"], of: (slot) => slot.connectedCalls },
  { value: "MEETINGS_BOOKED", name: "Meetings", nouns: ["meeting", "meetings"], of: (slot) => slot.meetingsBooked },
];
const LEVELS = 6;

type HeatmapProps = {
  report: DashboardQuery["heatmap"];
  wrong: string | undefined;
  /** Said where there are no calls. */
  none: string;
  view: View;
  onMetric: (metric: HeatmapMetric) => void;
};

export function HeatmapPanel({ report, wrong, none, view, onMetric }: HeatmapProps) {
  const metric = METRICS.find(({ value }) => value === view.heatmapMetric) ?? METRICS[0];
  const ahead = zoneMinutes();
  const { minute } = localSlot(0, 0, ahead);
  const values = new Map<string, number>();
  for (const slot of report?.heatmap ?? []) {
    const at = localSlot(slot.day, slot.hour, ahead);
    values.set(`${at.day} ${at.hour}`, metric.of(slot));
  }
  const most = Math.max(0, ...values.values());
  const valueOf = ({ day, hour }: Slot): number => values.get(`${day} ${hour}`) ?? 0;
  const levelOf = (slot: Slot): number => (most > 0 ? Math.ceil((valueOf(slot) / most) * LEVELS) : 0);
  const isOtherRange = view.period === "TODAY" || view.period === "CUSTOM";
  return (
    <Panel
      title="Best times to call"
      area="heatmap"
      wrong={wrong}
      empty={report?.heatmap.length === 0 && (isOtherRange ? "No calls in the last 30 days." : none)}
      aside={
        <fieldset class="segments small">
          <legend class="unseen">Shown</legend>
          {METRICS.map(({ value, name }) => (
            <label key={value}>
              <input
                type="radio"
                name="heatmap-metric"
                checked={value === metric.value}
                onChange={() => onMetric(value)}
              />
              <span>{name}</span>
            </label>
          ))}
        </fieldset>
      }
    >
      <WeekGrid
        caption={`${metric.name} by weekday and hour, in your time zone`}
        minute={minute}
        levelOf={levelOf}
        written={(slot) => asNumber(valueOf(slot))}
        counted={(slot) => counted(valueOf(slot), ...metric.nouns)}
      />
      <div class="best">
        <ol aria-label="Best times">
          {report?.bestTimes.map((best) => {
            const at = localSlot(best.day, best.hour, ahead);
            return (
              <li key={best.label}>
                <strong>
                  {weekday(at.day, true)} {time(at.hour, at.minute)}
                </strong>{" "}
                <span class="remark">{asNumber(best.metricValue)}</span>
              </li>
            );
          })}
        </ol>
        {report?.bestTimes.length === 0 && <p class="remark">There were none in this range.</p>}
        <div class="best-read remark">
          <p>
            Hours of {zoneName()}
            {isOtherRange && "; the last 30 days"}
          </p>
          {most > 0 && (
            <div class="scale" data-most={asShortNumber(most)} aria-hidden="true">
              {Array.from({ length: LEVELS + 1 }, (_, level) => (
                <span key={level} class={`level-${level}`} />
              ))}
            </div>
          )}
        </div>
      </div>
    </Panel>
  );
}
