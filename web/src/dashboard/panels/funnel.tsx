/** From call to appointment: five stages, and the rate at which each becomes the next. */

import type { DashboardQuery } from "../../generated";
import { asNumber, asPercent } from "../format";
import { Panel } from "../panel";

type FunnelProps = {
  report: DashboardQuery["funnel"];
  /** Said where there are no calls. */
  none: string;
  wrong: string | undefined;
};

export function FunnelPanel({ report, none, wrong }: FunnelProps) {
  const stages = report?.funnel;
  const rates = report?.rates;
  const rows = [
    { name: "Calls", number: stages?.totalCalls, rate: undefined },
    { name: "Connected", number: stages?.connected, rate: rates?.contactRate },
    { name: "Conversation", number: stages?.conversation, rate: rates?.connectedToConversation },
    { name: "Qualified", number: stages?.qualified, rate: rates?.conversationToQualified },
    { name: "Appointment booked", number: stages?.appointmentBooked, rate: rates?.qualifiedToBooked },
  ];
  const most = stages?.totalCalls ?? 0;
  return (
    <Panel
      title="Funnel"
      area="funnel"
      wrong={wrong}
      empty={most === 0 && none}
      aside={<span class="remark">{asPercent(rates?.overallConversion)} from first to last</span>}
    >
      <ol class="funnel">
        {rows.map(({ name, number, rate }) => (
          <li key={name}>
            {rate !== undefined && <span class="funnel-rate">{asPercent(rate)}</span>}
            <span class="funnel-name">{name}</span>
            <span class="funnel-number">{asNumber(number)}</span>
            <span class="funnel-bar" style={{ "--share": `${(100 * (number ?? 0)) / (most || 1)}%` }} />
          </li>
        ))}
      </ol>
    </Panel>
  );
}
