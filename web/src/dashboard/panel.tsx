/** The frame around one report: its heading, what is shown while it has no numbers, and what keeps its faults to itself. */

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Boundary } from "./boundary";

/** Instead of what went wrong, where that concerns several panels and is said once, above them. */
export const SAID_ABOVE = "There are no numbers to show.";

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
      {wrong ? <Wrong words={wrong} /> : empty ? <p class="panel-note">{empty}</p> : children}
    </section>
  );
}

/** What went wrong, said at once unless it is said already. */
export function Wrong({ words, isPanel }: { words: string; isPanel?: boolean }) {
  return (
    <p class={isPanel ? "panel panel-note" : "panel-note"} {...(words !== SAID_ABOVE && { role: "alert" })}>
      {words}
    </p>
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

type GuardedProps = {
  title: string;
  area: string;
  /** Another one may be drawn where this could not. */
  answer: unknown;
  children: ComponentChildren;
};

/** A panel that cannot be drawn says so itself, and takes no other along. */
export const Guarded = ({ title, area, answer, children }: GuardedProps) => (
  <Boundary
    until={answer}
    otherwise={(why, retry) => (
      <Panel title={title} area={area}>
        <div class="panel-note">
          <p role="alert">This cannot be drawn: {why}</p>
          <button type="button" onClick={retry}>
            Try again
          </button>
        </div>
      </Panel>
    )}
  >
    {children}
  </Boundary>
);
