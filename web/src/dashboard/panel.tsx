/** The frame around one report: its heading, and what is shown while it has no numbers. */

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

type PanelProps = {
  title: string;
  /** Names the place of the panel on the page's grid. */
  area: string;
  /** Choices, or a remark, beside the heading; not where there is nothing that they could be of. */
  aside?: ComponentChildren;
  /** What went wrong with just this report. */
  wrong?: string | undefined;
  /** Said instead of the content, when there is nothing to show. */
  empty?: string | false | undefined;
  children?: ComponentChildren;
};

export function Panel({ title, area, aside, wrong, empty, children }: PanelProps) {
  const heading = useId();
  return (
    <section class={`panel area-${area}`} aria-labelledby={heading}>
      <header class="panel-head">
        <h2 id={heading}>{title}</h2>
        {aside && !wrong && !empty && <div class="panel-aside">{aside}</div>}
      </header>
      {wrong ? (
        <p class="panel-note" role="alert">
          {wrong}
        </p>
      ) : empty ? (
        <p class="panel-note">{empty}</p>
      ) : (
        children
      )}
    </section>
  );
}

/** Where a panel will be, before the first answer. */
export function PanelSkeleton({ title, area }: { title: string; area: string }) {
  return (
    <section class={`panel area-${area}`} aria-label={title} aria-busy="true">
      <header class="panel-head">
        <h2>{title}</h2>
      </header>
      <div class="skeleton" />
    </section>
  );
}
