/** How much of something is done. */

import { asPercent } from "./format";

export function Progress({ percent, label }: { percent: number | null; label: string }) {
  const shown = Math.round(percent ?? 0);
  return (
    <span
      class="progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={shown}
    >
      <span class="progress-bar">
        <span style={{ width: `${shown}%` }} />
      </span>
      <span class="progress-text">{asPercent(percent === null ? null : shown)}</span>
    </span>
  );
}
