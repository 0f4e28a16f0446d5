/** How the calls ended, and what the agent sent while they lasted. */

import type { DashboardQuery } from "../../generated";
import { asNumber, asPercent, counted } from "../format";
import { Panel } from "../panel";

export function Outcomes({ report, wrong }: { report: DashboardQuery["overview"]; wrong: string | undefined }) {
  const ended = report?.dispositionBreakdown;
  const rows = ended
    ? [
        { name: "Appointment booked", number: ended.appointmentBooked },
        { name: "Conversation", number: ended.conversation },
        { name: "Callback requested", number: ended.callbackRequested },
        { name: "Not interested", number: ended.notInterested },
        { name: "Gatekeeper", number: ended.gatekeeperBlocked },
        { name: "Voicemail", number: ended.voicemail },
        { name: "No answer", number: ended.noAnswer },
        { name: "Wrong number", number: ended.wrongNumber },
        { name: "Asked not to be called", number: ended.dncRequested },
      ]
    : [];
  const all = rows.reduce((sum, { number }) => sum + number, 0);
  const most = Math.max(1, ...rows.map(({ number }) => number));
  const sent = report?.toolUsage;
  return (
    <Panel
      title="Outcomes"
      area="outcomes"
      wrong={wrong}
      empty={all === 0 && "No call of these days has an outcome yet."}
      aside={
        sent && (
          <span class="remark">
            {counted(sent.emailsSent, "e-mail")}, {counted(sent.smsSent, "SMS", "SMS")} sent
          </span>
        )
      }
    >
      <ul class="outcomes">
        {rows.map(({ name, number }) => (
          <li key={name}>
            <span>{name}</span>
            <span class="bar" style={{ "--share": `${(100 * number) / most}%` }} />
            <span class="number">{asNumber(number)}</span>
            <span class="number remark">{asPercent(all ? (100 * number) / all : null)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
