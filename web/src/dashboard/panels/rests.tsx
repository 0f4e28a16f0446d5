/** What the numbers rest on: how fresh they are, and how much of the calls has been understood. */

import type { DashboardQuery } from "../../generated";
import { asMoment, asNumber, asPercent } from "../format";
import { Panel } from "../panel";
import { Progress } from "../progress";

type RestsProps = {
  freshness: DashboardQuery["freshness"];
  objections: DashboardQuery["objections"];
  wrong: string | undefined;
};

export function Rests({ freshness, objections, wrong }: RestsProps) {
  const rows = [
    [
      "Connected calls analysed",
      `${asNumber(freshness?.analyzedConnectedCalls)} of ${asNumber(freshness?.connectedCalls)}`,
    ],
    ["Calls analysed in all", asNumber(objections?.summary.callsAnalyzed)],
    ["Waiting for analysis", asNumber(freshness?.waitingCalls)],
    ["Last change of a count", asMoment(freshness?.lastChangedAt)],
    ["Last compared with the calls", asMoment(freshness?.lastCheckedAt)],
  ] as const;
  return (
    <Panel
      title="What the numbers rest on"
      area="rests"
      wrong={wrong}
      aside={
        freshness?.analyzedPct != null && (
          <span class="remark">{asPercent(freshness.analyzedPct)} of connected calls analysed</span>
        )
      }
    >
      <Progress
        done={freshness?.analyzedConnectedCalls ?? 0}
        all={freshness?.connectedCalls ?? 0}
        label="Connected calls analysed"
      />
      <dl class="figures">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
