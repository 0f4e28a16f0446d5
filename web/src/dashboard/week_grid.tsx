/** The hours of a week as cells, which the pointer, the finger and the arrow keys go along; what a cell says is below them. */

import { useRef, useState } from "preact/hooks";
import { useMedia } from "./media";
import { time, weekday, weekdays } from "./zone";

export type Slot = Readonly<{ day: number; hour: number }>;

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
/** Where twenty-four cells beside one another would be narrower than a finger, days stand side by side instead. */
const NARROW = "screen and (max-width: 50rem)";
/** Rows and columns that a key goes on by. */
const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-Infinity, 0],
  PageDown: [Infinity, 0],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

type WeekGridProps = {
  caption: string;
  /** At which minute of an hour of the viewer's the cells begin. */
  minute: number;
  /** How dark a cell is, from 0 to 6. */
  levelOf: (slot: Slot) => number;
  written: (slot: Slot) => string;
  counted: (slot: Slot) => string;
};

export function WeekGrid({ caption, minute, levelOf, written, counted }: WeekGridProps) {
  const isNarrow = useMedia(NARROW);
  const body = useRef<HTMLTableSectionElement>(null);
  const days = weekdays();
  // The one cell that the keyboard comes to, and those that are read: the pointer's rather than the keyboard's.
  const [stop, setStop] = useState<Slot>({ day: days[0] ?? 0, hour: 0 });
  const [focused, setFocused] = useState<Slot | null>(null);
  const [pointed, setPointed] = useState<Slot | null>(null);
  const read = pointed ?? focused;

  const rows = isNarrow ? HOURS : days;
  const columns = isNarrow ? days : HOURS;
  const slotOf = (row: number, column: number): Slot =>
    isNarrow ? { day: column, hour: row } : { day: row, hour: column };
  const named = ({ day, hour }: Slot): string => `${weekday(day)} ${time(hour, minute)}`;

  const move = (event: KeyboardEvent): void => {
    const cell = event.target instanceof Element && event.target.closest("td");
    const step = STEPS[event.key];
    if (!cell || !step || event.altKey || event.metaKey) return;
    event.preventDefault();
    const row = cell.parentElement as HTMLTableRowElement;
    const goTo = (at: number, by: number, length: number): number => Math.max(0, Math.min(at + by, length - 1));
    // With Ctrl to the ends of the whole grid, as in any.
    const [down, along] = event.ctrlKey && step[0] === 0 ? [step[1], step[1]] : step;
    const next = body.current?.rows[goTo(row.sectionRowIndex, down, rows.length)];
    // Before the cells stands the row's heading.
    next?.cells[1 + goTo(cell.cellIndex - 1, along, columns.length)]?.focus();
  };

  const heading = (value: number, isHour: boolean) =>
    isHour ? (
      <>
        <span class="unseen">{time(value, minute)}</span>
        {(isNarrow || value % 3 === 0) && (
          <span class={value % 6 === 0 ? "" : "minor"} aria-hidden="true">
            {time(value, minute)}
          </span>
        )}
      </>
    ) : (
      weekday(value, true)
    );
  return (
    <>
      <table class={`heatmap ${isNarrow ? "narrow" : ""}`} role="grid" aria-readonly="true" onKeyDown={move}>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            <td />
            {columns.map((column) => (
              <th key={column} scope="col">
                {heading(column, !isNarrow)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body} onPointerLeave={() => setPointed(null)}>
          {rows.map((row) => (
            <tr key={row}>
              <th scope="row">{heading(row, isNarrow)}</th>
              {columns.map((column) => {
                const slot = slotOf(row, column);
                const isStop = slot.day === stop.day && slot.hour === stop.hour;
                return (
                  <td
                    key={column}
                    class={`level-${levelOf(slot)}`}
                    tabIndex={isStop ? 0 : -1}
                    title={`${named(slot)}: ${written(slot)}`}
                    onFocus={() => {
                      setStop(slot);
                      setFocused(slot);
                    }}
                    onBlur={() => setFocused(null)}
                    onPointerEnter={() => setPointed(slot)}
                  />
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="week-read remark" aria-hidden="true">
        {read ? `${named(read)}: ${counted(read)}` : "Point at an hour, tap it, or go along with the arrow keys."}
      </p>
    </>
  );
}
