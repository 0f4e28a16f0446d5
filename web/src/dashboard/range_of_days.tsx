/** Two days to type or to pick: asked for when they are whole and in order, and their writer has paused or gone on. */

import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { asSentence } from "./format";
import { FIRST_DAY, isPlausible, LAST_DAY, mistakeIn } from "./range";
import type { View } from "./view";

/** Longer than from one key to the next. */
const PAUSE_MS = 1000;

type RangeOfDaysProps = {
  view: View;
  /** What the gateway finds wrong with the range that is asked for. */
  refused: string | null;
  onChange: (changed: Partial<View>, isSameStep: boolean) => void;
};

export function RangeOfDays({ view, refused, onChange }: RangeOfDaysProps) {
  const from = useRef<HTMLInputElement>(null);
  const to = useRef<HTMLInputElement>(null);
  const timer = useRef(0);
  // Until their writer is done, each range that comes about in the two fields replaces the one before it.
  const isSameStep = useRef(false);
  const [mistake, setMistake] = useState<string | null>(null);
  const about = useId();

  // At once, or it might be after something was typed already.
  useLayoutEffect(() => {
    const [first, last] = [view.startDate ?? "", view.endDate ?? ""];
    if (!from.current || !to.current || (from.current.value === first && to.current.value === last)) return;
    // Not by these fields, then: by Back, say.
    window.clearTimeout(timer.current);
    isSameStep.current = false;
    from.current.value = first;
    to.current.value = last;
    setMistake(null);
  }, [view.startDate, view.endDate]);
  useEffect(() => () => window.clearTimeout(timer.current), []);

  const settle = (isDone: boolean): void => {
    window.clearTimeout(timer.current);
    const continues = isSameStep.current;
    if (isDone) isSameStep.current = false;
    if (!from.current || !to.current) return;
    const [startDate, endDate] = [from.current.value, to.current.value];
    const isHalf = [from.current, to.current].some(
      ({ value, validity }) => validity.badInput || (value !== "" && !isPlausible(value)),
    );
    // Half a day is a mistake only of who is done with it.
    if (isHalf && !isDone) return;
    const wrong = isHalf ? "That is no day of the years 1970 to 2199." : mistakeIn(startDate, endDate);
    setMistake(wrong);
    if (wrong || !startDate || !endDate) return;
    if (startDate === view.startDate && endDate === view.endDate) return;
    onChange({ period: "CUSTOM", startDate, endDate }, continues);
    isSameStep.current = !isDone;
  };
  const words = mistake ?? (refused && asSentence(refused));
  const field = {
    type: "date",
    min: FIRST_DAY,
    max: LAST_DAY,
    "aria-invalid": words !== null,
    ...(words !== null && { "aria-describedby": about }),
  } as const;
  return (
    <fieldset
      class="range"
      onInput={() => {
        window.clearTimeout(timer.current);
        timer.current = window.setTimeout(() => settle(false), PAUSE_MS);
      }}
      onKeyDown={(event) => event.key === "Enter" && settle(true)}
      onFocusOut={(event) => {
        if (event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget)) return;
        settle(true);
      }}
    >
      <legend class="unseen">Range of days (UTC)</legend>
      <label>
        <span>From</span>
        <input ref={from} {...field} />
      </label>
      <label>
        <span>to</span>
        <input ref={to} {...field} />
      </label>
      {words !== null && (
        <span id={about} role="alert">
          {words}
        </span>
      )}
    </fieldset>
  );
}
