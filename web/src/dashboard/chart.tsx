/** A chart by days: to look at, to go along with the keyboard day by day, and as a table for who cannot see it. */

import type { ECharts, init as begin } from "echarts/core";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asLongDay } from "./format";
import { type Line, optionOf } from "./plot";
import { isOnPaper, onColours } from "./theme";

/** Of the pixels on paper, which are smaller than the screen's. */
const PAPER_DENSITY = 3;
/** By how many days a key goes on. */
const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -7,
  PageUp: 7,
  Home: -Infinity,
  End: Infinity,
};

type DaysChartProps = {
  /** What it is called, and what is in it. */
  name: string;
  label: string;
  days: readonly string[];
  lines: readonly Line[];
  height: number;
};

export function DaysChart({ name, label, days, lines, height }: DaysChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const [day, setDay] = useState<number | null>(null);
  const { chart, hasFailed, draw } = useDrawing(place, days, lines);

  const last = days.length - 1;
  const at = Math.min(day ?? last, last);
  // By its place: a day without a value has no point that could be named.
  const point = (to: number): void => {
    const x = chart.current?.convertToPixel({ xAxisIndex: 0 }, to);
    chart.current?.dispatchAction({ type: "showTip", x, y: height / 2 });
  };
  const hide = (): void => chart.current?.dispatchAction({ type: "hideTip" });
  useEffect(() => {
    // Drawing anew took it away.
    if (day !== null && place.current?.matches(":focus-visible")) point(at);
  });

  const move = (event: KeyboardEvent): void => {
    if (event.key === "Escape") hide();
    const step = STEPS[event.key];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    setDay(Math.max(0, Math.min(at + step, last)));
  };
  const said = (row: number): string =>
    lines.map((line) => `${line.name} ${line.written(line.values[row] ?? null)}`).join(", ");
  return (
    <figure class="chart">
      {hasFailed && (
        <p role="alert">
          The chart cannot be drawn; these are its numbers.{" "}
          <button type="button" onClick={draw}>
            Try again
          </button>
        </p>
      )}
      <div
        ref={place}
        class="chart-place"
        hidden={hasFailed}
        style={{ "--height": `${height}px` }}
        role="slider"
        tabIndex={0}
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={at}
        aria-valuetext={`${asLongDay(days[at] ?? "")}: ${said(at)}`}
        onKeyDown={move}
        onFocus={(event) => {
          // With the finger or the mouse it is another day that is meant.
          if (event.currentTarget.matches(":focus-visible")) setDay(at);
        }}
        onBlur={() => {
          setDay(null);
          hide();
        }}
      />
      <div class={hasFailed ? "scroll" : "unseen"}>
        <table>
          <caption>{label}</caption>
          <thead>
            <tr>
              <th scope="col">Day</th>
              {lines.map(({ name }) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {days.map((date, row) => (
              <tr key={date}>
                <th scope="row">{asLongDay(date)}</th>
                {lines.map(({ name, values, written }) => (
                  <td key={name}>{written(values[row] ?? null)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}

/** Keeps the drawing as wide as its place, on the screen and on paper, and in the colours of the day. */
function useDrawing(place: { current: HTMLDivElement | null }, days: readonly string[], lines: readonly Line[]) {
  const chart = useRef<ECharts | null>(null);
  const library = useRef<typeof begin | null>(null);
  const shown = useRef({ days, lines });
  shown.current = { days, lines };
  const [{ hasFailed }, setDrawn] = useState({ hasFailed: false });

  const fail = useCallback((error: unknown): void => {
    console.error(error);
    setDrawn({ hasFailed: true });
  }, []);
  const drawNow = useCallback((): void => {
    if (!library.current || !place.current) return;
    try {
      chart.current ??= library.current(place.current, null, isOnPaper() ? { devicePixelRatio: PAPER_DENSITY } : {});
      chart.current.setOption(optionOf(shown.current.days, shown.current.lines, place.current), { notMerge: true });
      // Also where nothing had failed: what is shown at the keyboard's day is shown anew.
      setDrawn({ hasFailed: false });
    } catch (error) {
      fail(error);
    }
  }, []);
  const draw = useCallback((): void => {
    import("./echarts").then(({ init }) => {
      library.current = init;
      drawNow();
    }, fail);
  }, []);

  useEffect(draw, [days, lines]);
  useEffect(() => {
    if (!place.current) return;
    const watched = new ResizeObserver(() => chart.current?.resize());
    watched.observe(place.current);
    const forget = onColours(() => {
      if (!chart.current) return;
      // At once, since who prints waits for nothing; from the beginning, since paper has smaller pixels.
      chart.current.dispose();
      chart.current = null;
      drawNow();
    });
    return () => {
      forget();
      watched.disconnect();
      chart.current?.dispose();
      chart.current = null;
    };
  }, []);
  return { chart, hasFailed, draw };
}
