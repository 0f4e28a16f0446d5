/** Batches as they stand right now, newest first, whatever the range. */

import type { BatchStatus, DashboardQuery } from "../../generated";
import { named } from "../direction";
import { asMoment, asShortNumber } from "../format";
import { Name } from "../name";
import { Pages } from "../pages";
import { Panel } from "../panel";
import { Progress } from "../progress";
import { BATCHES_ON_A_PAGE } from "../view";

const STATUS: Readonly<Record<BatchStatus, string>> = {
  PENDING: "Pending",
  SCHEDULED: "Scheduled",
  PROCESSING: "Running",
  PAUSED: "Paused",
  COMPLETED: "Completed",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};

type BatchesProps = {
  report: DashboardQuery["campaigns"];
  choices: DashboardQuery["choices"];
  wrong: string | undefined;
  page: number;
  onPage: (page: number) => void;
};

export function Batches({ report, choices, wrong, page, onPage }: BatchesProps) {
  const names = new Map(choices?.campaigns.map(({ id, name }) => [id, name]));
  const batches = report?.activeBatches ?? [];
  return (
    <Panel
      title="Batches"
      area="batches"
      wrong={wrong}
      empty={report?.pagination.total === 0 && "There are no batches."}
    >
      <ul class="batches">
        {batches.map((batch) => {
          const name = names.get(batch.campaignId ?? "") ?? "No campaign";
          return (
            <li key={batch.id}>
              <Name of={name} />
              <span class={`tag tag-${batch.status.toLowerCase()}`}>{STATUS[batch.status]}</span>
              <Progress
                done={batch.completedCount}
                failed={batch.failedCount}
                all={batch.totalCalls}
                label={`Batch of ${named(name)}, ${asMoment(batch.createdAt)}`}
              />
              <span class="remark" title={`Made on ${asMoment(batch.createdAt)}`}>
                {batch.failedCount > 0 && `${asShortNumber(batch.failedCount)} failed `}
                of {asShortNumber(batch.totalCalls)}
              </span>
            </li>
          );
        })}
      </ul>
      <Pages of="batches" page={page} total={report?.pagination.total ?? 0} size={BATCHES_ON_A_PAGE} onPage={onPage} />
    </Panel>
  );
}
