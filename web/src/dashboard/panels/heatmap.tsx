/** The week by hours, in the viewer's own zone, and its best times. */

import type { DashboardQuery, HeatmapMetric } from "../../generated";
import { asNumber, asShortNumber } from "../format";
import { Panel } from "../panel";
import type { View } from "../view";
import { localSlot, time, weekday, weekdays, zoneMinutes } from "../zone";

type Report = NonNullable<DashboardQuery["heatmap"]>;
type Slot = Report["heatmap"][number];

const METRICS: readonly { value: HeatmapMetric; name: string; of: (slot: Slot) => number }[] = [
  { value: "CALLS", name: "Calls", of: (slot) => slot.totalCalls },
  { value: "CONNECTED", name: "Connected", of: (slot) => slot.connectedCalls },
  { value: "MEETINGS_BOOKED", name: "Meetings", of: (slot) => slot.meetingsBooked },
];
const LEVELS = 6;
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

type HeatmapProps = {
  report: DashboardQuery["heatmap"];
  wrong: string | undefined;
  view: View;
  onMetric: (metric: HeatmapMetric) => void;
};

export function HeatmapPanel({ report, wrong, view, onMetric }: HeatmapProps) {
  const metric = METRICS.find(({ value }) => value === view.heatmapMetric) ?? METRICS[0];
  const ahead = zoneMinutes();
  const { minute } = localSlot(0, 0, ahead);
  const values = new Map<string, number>();
  for (const slot of report?.heatmap ?? []) {
    const at = localSlot(slot.day, slot.hour, ahead);
    values.set(`${at.day} ${at.hour}`, metric?.of(slot) ?? 0);
  }
  const most = Math.max(0, ...values.values());
  const isOtherRange = view.period === "TODAY" || view.period === "CUSTOM";
  return (
    <Panel
      title="Best times to call"
      area="heatmap"
      wrong={wrong}
      empty={report?.heatmap.length === 0 && "There were no calls in this range."}
      aside={
        <fieldset class="segments small">
          <legend class="unseen">Shown</legend>
          {METRICS.map(({ value, name }) => (
            <label key={value}>
              <input
                type="radio"
                name="heatmap-metric"
                checked={value === metric?.value}
                onChange={() => onMetric(value)}
              />
              <span>{name}</span>
            </label>
          ))}
        </fieldset>
      }
    >
      <table class="heatmap">
        <caption class="unseen">{metric?.name} by weekday and hour, in your time zone</caption>
        <thead>
          <tr>
            <td />
            {HOURS.map((hour) => (
              <th key={hour} scope="col">
                <span class="unseen">{time(hour, minute)}</span>
                {hour % 3 === 0 && (
                  <span class={hour % 6 === 0 ? "" : "minor"} aria-hidden="true">
                    {time(hour, minute)}
                  </span>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {weekdays().map((day) => (
            <tr key={day}>
              <th scope="row">{weekday(day, true)}</th>
              {HOURS.map((hour) => {
                const value = values.get(`${day} ${hour}`) ?? 0;
                const level = value === 0 ? 0 : Math.ceil((value / most) * LEVELS);
                return (
                  <td
                    key={hour}
                    class={`level-${level}`}
                    title={`${weekday(day)} ${time(hour, minute)}: ${asNumber(value)}`}
                  >
                    <span class="unseen">{asNumber(value)}</span>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
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
            Hours of {Intl.DateTimeFormat().resolvedOptions().timeZone}
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
