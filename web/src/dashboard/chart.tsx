/** A chart by days, in the page's own colours, with the same numbers as a table for who cannot see it. */

import type { ECharts } from "echarts/core";
import { useEffect, useRef } from "preact/hooks";
import { asDay, asLongDay } from "./format";
import { lonely } from "./scale";
import { useTheme } from "./theme";

export type Line = Readonly<{
  name: string;
  /** The style sheet's name of its colour: `--line-1`. */
  color: string;
  values: readonly (number | null)[];
  /** As its values are written. */
  written: (value: number | null) => string;
  /** As the scale is written, if that takes fewer digits. */
  marked?: (value: number | null) => string;
  /** What the scale may step by, if not by round tens: the first that takes no more than five steps. */
  steps?: readonly number[];
  /** The top of its scale, which then has four steps; those of two scales meet in the same lines. */
  most?: number;
  isBar?: boolean;
  /** Which of the two scales it is measured by. */
  scale?: "left" | "right";
}>;

type DaysChartProps = {
  /** What is shown, in a sentence. */
  label: string;
  days: readonly string[];
  lines: readonly Line[];
  height: number;
};

export function DaysChart({ label, days, lines, height }: DaysChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const theme = useTheme();

  useEffect(() => {
    let isGone = false;
    const draw = async (): Promise<void> => {
      const { init } = await import("./echarts");
      if (isGone || !place.current) return;
      chart.current ??= init(place.current);
      chart.current.setOption(optionOf(days, lines, place.current), { notMerge: true });
    };
    void draw();
    return () => {
      isGone = true;
    };
  }, [days, lines, theme]);

  useEffect(() => {
    if (!place.current) return;
    const watched = new ResizeObserver(() => chart.current?.resize());
    watched.observe(place.current);
    return () => {
      watched.disconnect();
      chart.current?.dispose();
      chart.current = null;
    };
  }, []);

  return (
    <figure class="chart">
      <div ref={place} style={{ height: `${height}px` }} aria-hidden="true" />
      <div class="unseen">
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

type Point = { seriesIndex: number; dataIndex: number };

const scaleOf = (line: Line): "left" | "right" => line.scale ?? "left";

function optionOf(days: readonly string[], lines: readonly Line[], place: HTMLElement) {
  const style = getComputedStyle(place);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  const ink = of("--ink-2");
  const axis = (scale: "left" | "right") => {
    // Those of one scale are of one unit.
    const first = lines.find((line) => scaleOf(line) === scale);
    const highest = Math.max(0, ...(first?.values ?? []).map(Number));
    return {
      type: "value",
      show: first !== undefined,
      position: scale,
      max: first?.most,
      splitNumber: 4,
      interval: first?.most ? first.most / 4 : first?.steps?.find((step) => highest <= 5 * step),
      // A scale without marks of its own counts something: half a call would be none.
      minInterval: first?.marked ? 0 : 1,
      axisLabel: { color: ink, formatter: first?.marked ?? first?.written ?? String },
      splitLine: { show: scale === "left", lineStyle: { color: of("--line") } },
    };
  };
  const placed = ({ name, color, scale }: Line) => ({
    name,
    yAxisIndex: scale === "right" ? 1 : 0,
    itemStyle: { color: of(color) },
  });
  return {
    animation: false,
    textStyle: { fontFamily: style.fontFamily },
    grid: { left: 4, right: 8, top: 12, bottom: 2, containLabel: true },
    tooltip: {
      trigger: "axis",
      confine: true,
      backgroundColor: of("--panel"),
      borderColor: of("--line"),
      textStyle: { color: of("--ink"), fontSize: 12 },
      formatter: (points: Point[]) => {
        const shown = document.createElement("div");
        shown.className = "tip";
        const say = (kind: string, text: string, color?: string): void => {
          const said = document.createElement("span");
          said.className = kind;
          said.textContent = text;
          if (color) said.style.setProperty("--chip", of(color));
          shown.append(said);
        };
        const day = days[points[0]?.dataIndex ?? 0];
        say("tip-day", day ? asLongDay(day) : "");
        for (const { seriesIndex, dataIndex } of points) {
          const line = lines[seriesIndex];
          if (!line) continue;
          say("swatch", line.name, line.color);
          say("number", line.written(line.values[dataIndex] ?? null));
        }
        return shown;
      },
    },
    xAxis: {
      type: "category",
      data: days.map(asDay),
      boundaryGap: days.length === 1 || lines.some(({ isBar }) => isBar),
      axisLabel: { color: ink, hideOverlap: true, margin: 12 },
      axisTick: { show: false },
      axisLine: { lineStyle: { color: of("--line") } },
    },
    yAxis: [axis("left"), axis("right")],
    series: [
      ...lines.map((line) => ({
        ...placed(line),
        type: line.isBar ? "bar" : "line",
        data: line.values,
        barMaxWidth: 14,
        symbolSize: 7,
        showSymbol: false,
        lineStyle: { width: 2 },
      })),
      ...lines
        .filter(({ isBar }) => !isBar)
        .map((line) => ({
          ...placed(line),
          type: "line",
          data: lonely(line.values),
          symbol: "circle",
          symbolSize: 7,
          silent: true,
        })),
    ],
  };
}
