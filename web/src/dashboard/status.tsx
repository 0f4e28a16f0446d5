/** What the numbers are of, how fresh they are, and what stands in the way of newer ones. */

import { asClock, asRange, asSentence } from "./format";
import type { Screen } from "./screen";

type StatusProps = {
  screen: Screen;
  /** Whether the token came with the page, and so a new one comes with the gateway only. */
  isGiven: boolean;
  onRetry: () => void;
};

export function Status({ screen, isGiven, onRetry }: StatusProps) {
  const { answer, changedAt, checkedAt } = screen;
  const period = answer?.data.overview?.period;
  const said = [
    period && "UTC days",
    changedAt && `refreshed ${asClock(changedAt)}`,
    checkedAt && `checked ${asClock(checkedAt)}`,
  ];
  return (
    <div class="status">
      <p>
        {period && <strong>{asRange(period.startDate, period.endDate)}</strong>}
        {period && <span class="between"> · </span>}
        {said.filter(Boolean).join(" · ")}
      </p>
      <div role="status" aria-live="polite">
        <Notice screen={screen} isGiven={isGiven} onRetry={onRetry} />
      </div>
    </div>
  );
}

function Notice({ screen, isGiven, onRetry }: StatusProps) {
  const { answer, failure, settled } = screen;
  // Of a range it is said beside its days.
  if (failure?.kind === "refused" && settled?.period === "CUSTOM") return null;
  const words = failure?.message ?? answer?.shared;
  if (!words) return null;
  return (
    <p class={`notice notice-${failure?.kind ?? "away"}`}>
      <span>
        {asSentence(words)}
        {failure?.kind === "signed-out" &&
          isGiven &&
          " It is the one that this gateway hands out: restart the demo for a new one, then reload the page."}
        {failure?.kind === "away" &&
          (answer ? " These are the last numbers; asking again by itself." : " Asking again by itself.")}
      </span>
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </p>
  );
}
