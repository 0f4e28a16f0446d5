/** How much of something is done, and how much of that in vain. */

import { asWholePercent } from "./format";

type ProgressProps = { done: number; failed?: number; all: number; label: string };

export function Progress({ done, failed = 0, all, label }: ProgressProps) {
  const share = (part: number): number => (all > 0 ? (100 * part) / all : 0);
  return (
    <span
      class="progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share(done + failed))}
    >
      <span class="progress-bar">
        <span class="progress-done" style={{ width: `${share(done)}%` }} />
        <span class="progress-failed" style={{ width: `${share(failed)}%` }} />
      </span>
      <span class="progress-text">{asWholePercent(all > 0 ? share(done + failed) : null)}</span>
    </span>
  );
}
