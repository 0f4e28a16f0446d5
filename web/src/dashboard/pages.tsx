/** Turning over the pages of a list; nothing when there is only one. */

import { asNumber } from "./format";

type PagesProps = {
  /** What is on them, for who cannot see where the buttons belong. */
  of: string;
  page: number;
  total: number;
  size: number;
  onPage: (page: number) => void;
};

export function Pages({ of, page, total, size, onPage }: PagesProps) {
  if (total <= size && page === 0) return null;
  const last = Math.max(0, Math.ceil(total / size) - 1);
  return (
    <nav class="pages" aria-label={`Pages of ${of}`}>
      <button type="button" disabled={page === 0} onClick={() => onPage(Math.min(page - 1, last))}>
        Previous
      </button>
      <span aria-live="polite">
        {page <= last &&
          `${asNumber(Math.min(page * size + 1, total))}–${asNumber(Math.min((page + 1) * size, total))} `}
        of {asNumber(total)}
      </span>
      <button type="button" disabled={page >= last} onClick={() => onPage(page + 1)}>
        Next
      </button>
    </nav>
  );
}
