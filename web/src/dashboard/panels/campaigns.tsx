/** The campaigns that have calls in the range: to sort, to turn over, to narrow everything to one. */

import { useMemo, useState } from "preact/hooks";
import type { DashboardQuery } from "../../generated";
import { named, withoutTurns } from "../direction";
import { asNumber, asPercent } from "../format";
import { LOCALE } from "../../locale";
import { Pages } from "../pages";
import { Panel } from "../panel";
import { Progress } from "../progress";

type Report = NonNullable<DashboardQuery["campaigns"]>;
type Row = Report["campaignStats"][number];
type Column = "campaignName" | "totalCalls" | "connectedCalls" | "contactRate" | "meetingsBooked" | "conversionRate";

const COLUMNS: readonly { column: Column; name: string; written: (row: Row) => string }[] = [
  { column: "totalCalls", name: "Calls", written: (row) => asNumber(row.totalCalls) },
  { column: "connectedCalls", name: "Connected", written: (row) => asNumber(row.connectedCalls) },
  { column: "contactRate", name: "Contact rate", written: (row) => asPercent(row.contactRate) },
  { column: "meetingsBooked", name: "Meetings", written: (row) => asNumber(row.meetingsBooked) },
  { column: "conversionRate", name: "Conversion", written: (row) => asPercent(row.conversionRate) },
];
const ON_A_PAGE = 12;
const byName = new Intl.Collator(LOCALE);

type CampaignsProps = {
  report: DashboardQuery["campaigns"];
  /** The running batches of all campaigns, whichever page of batches is looked at. */
  running: DashboardQuery["running"];
  wrong: string | undefined;
  onCampaign: (id: string) => void;
};

export function Campaigns({ report, running, wrong, onCampaign }: CampaignsProps) {
  const [sorted, setSorted] = useState<{ by: Column; isUp: boolean }>({ by: "totalCalls", isUp: false });
  const [page, setPage] = useState(0);
  const rows = useMemo(() => {
    const compare = (one: Row, other: Row): number =>
      sorted.by === "campaignName"
        ? byName.compare(one.campaignName, other.campaignName)
        : (one[sorted.by] ?? -1) - (other[sorted.by] ?? -1);
    return [...(report?.campaignStats ?? [])].sort((one, other) =>
      sorted.isUp ? compare(one, other) : compare(other, one),
    );
  }, [report, sorted]);
  const last = Math.max(0, Math.ceil(rows.length / ON_A_PAGE) - 1);
  const at = Math.min(page, last);

  const heading = (column: Column, name: string) => {
    const isSorted = sorted.by === column;
    return (
      <th
        key={column}
        scope="col"
        class={column === "campaignName" ? "" : "number"}
        aria-sort={isSorted ? (sorted.isUp ? "ascending" : "descending") : "none"}
      >
        <button
          type="button"
          onClick={() => {
            setSorted({ by: column, isUp: isSorted ? !sorted.isUp : column === "campaignName" });
            setPage(0);
          }}
        >
          {name}
        </button>
      </th>
    );
  };
  return (
    <Panel
      title="Campaigns"
      area="campaigns"
      wrong={wrong}
      empty={rows.length === 0 && "No campaign has calls on these days."}
    >
      <section class="scroll" aria-label="Campaigns, table" tabIndex={0}>
        <table class="rows campaigns">
          <thead>
            <tr>
              {heading("campaignName", "Campaign")}
              {COLUMNS.map(({ column, name }) => heading(column, name))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(at * ON_A_PAGE, (at + 1) * ON_A_PAGE).map((row) => (
              <tr key={row.campaignId}>
                <th scope="row">
                  <button
                    type="button"
                    class="link clipped"
                    dir="auto"
                    title={`Show only ${named(row.campaignName)}`}
                    onClick={() => onCampaign(row.campaignId)}
                  >
                    {withoutTurns(row.campaignName)}
                  </button>
                  <Running batches={running?.activeBatches ?? []} campaign={row} />
                </th>
                {COLUMNS.map(({ column, written }) => (
                  <td key={column} class="number">
                    {written(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <Pages of="campaigns" page={at} total={rows.length} size={ON_A_PAGE} onPage={setPage} />
    </Panel>
  );
}

type RunningProps = { batches: NonNullable<DashboardQuery["running"]>["activeBatches"]; campaign: Row };

/** How far a campaign's running batches are. */
function Running({ batches, campaign }: RunningProps) {
  const running = batches.filter(({ campaignId }) => campaignId === campaign.campaignId);
  const all = running.reduce((sum, { totalCalls }) => sum + totalCalls, 0);
  if (all === 0) return null;
  const done = running.reduce((sum, { completedCount }) => sum + completedCount, 0);
  const failed = running.reduce((sum, { failedCount }) => sum + failedCount, 0);
  return (
    <Progress done={done} failed={failed} all={all} label={`Running batches of ${named(campaign.campaignName)}`} />
  );
}
