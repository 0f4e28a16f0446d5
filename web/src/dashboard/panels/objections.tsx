/** What people object to and how often it was handled, and what signals an interest. */

import type { DashboardQuery } from "../../generated";
import { asPercent, asShortNumber, counted } from "../format";
import { Name } from "../name";
import { Panel } from "../panel";

type ObjectionsProps = { report: DashboardQuery["objections"]; wrong: string | undefined };

export function ObjectionsPanel({ report, wrong }: ObjectionsProps) {
  const summary = report?.summary;
  const objections = report?.objections ?? [];
  const signals = report?.buyingSignals ?? [];
  const most = Math.max(1, ...objections.map(({ count }) => count));
  const mostSignals = Math.max(1, ...signals.map(({ count }) => count));
  return (
    <Panel
      title="Objections and buying signals"
      area="objections"
      wrong={wrong}
      empty={objections.length + signals.length === 0 && "None was found in the analysed calls of these days."}
      aside={
        <span class="remark">
          {counted(summary?.totalObjections, "objection")}, {asPercent(summary?.objectionHandlingRate)} handled ·{" "}
          {counted(summary?.totalBuyingSignals, "signal")}
        </span>
      }
    >
      <div class="findings">
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">Objection</th>
              <th scope="col" class="number">
                Times
              </th>
              <th scope="col" class="number">
                Handled
              </th>
            </tr>
          </thead>
          <tbody>
            {objections.map(({ objection, count, handlingRate }) => (
              <tr key={objection}>
                <th scope="row">
                  <Name of={objection} />
                  <span class="bar" style={{ "--share": `${(100 * count) / most}%` }} />
                </th>
                <td class="number">{asShortNumber(count)}</td>
                <td class="number">{asPercent(handlingRate)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">Buying signal</th>
              <th scope="col" class="number">
                Times
              </th>
              <th scope="col" class="number">
                Share
              </th>
            </tr>
          </thead>
          <tbody>
            {signals.map(({ signal, count, percentage }) => (
              <tr key={signal}>
                <th scope="row">
                  <Name of={signal} />
                  <span class="bar" style={{ "--share": `${(100 * count) / mostSignals}%` }} />
                </th>
                <td class="number">{asShortNumber(count)}</td>
                <td class="number">{asPercent(percentage)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
