/** What stands above the numbers on paper: whose they are, of which days, and of which moment. */

import { withoutTurns } from "./direction";
import { asMoment, asRange, zoneName } from "./format";
import type { Screen } from "./screen";

export function PrintedHead({ screen: { answer, view, checkedAt } }: { screen: Screen }) {
  if (!answer || !view) return null;
  const { viewer, overview, choices } = answer.data;
  const client = viewer?.client ?? choices?.clients.find(({ id }) => id === view.clientId);
  const campaign = choices?.campaigns.find(({ id }) => id === view.campaignId);
  const period = overview?.period;
  const said = [
    ["Agency", viewer && withoutTurns(viewer.agency.name)],
    ["Days (UTC)", period && asRange(period.startDate, period.endDate)],
    ["Client", client && withoutTurns(client.name)],
    ["Campaign", campaign && withoutTurns(campaign.name)],
    ["As of", checkedAt && `${asMoment(checkedAt)} (${zoneName()})`],
  ] as const;
  return (
    <dl class="figures printed">
      {said.map(
        ([name, value]) =>
          value && (
            <div key={name}>
              <dt>{name}</dt>
              <dd dir="auto">{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
