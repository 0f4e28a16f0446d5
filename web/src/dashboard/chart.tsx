/** A chart by days, in the page's own colours, with the same numbers as a table for who cannot see it. */

import type { ECharts } from "echarts/core";
import { useEffect, useRef } from "preact/hooks";
import { asDay, asLongDay } from "./format";
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

type Point = { seriesIndex: number; value: number | null; dataIndex: number; marker: string };

function optionOf(days: readonly string[], lines: readonly Line[], place: HTMLElement) {
  const style = getComputedStyle(place);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  const ink = of("--ink-2");
  const marked = (scale: "left" | "right") => {
    const line = lines.find((other) => (other.scale ?? "left") === scale);
    return line?.marked ?? line?.written ?? String;
  };
  const axis = (scale: "left" | "right") => ({
    type: "value",
    show: lines.some((line) => (line.scale ?? "left") === scale),
    position: scale,
    splitNumber: 4,
    // A scale without marks of its own counts something: half a call would be none.
    minInterval: lines.some((line) => (line.scale ?? "left") === scale && line.marked) ? 0 : 1,
    axisLabel: { color: ink, formatter: marked(scale) },
    splitLine: { show: scale === "left", lineStyle: { color: of("--line") } },
  });
  return {
    animation: false,
    textStyle: { fontFamily: style.fontFamily },
    grid: { left: 4, right: 8, top: 12, bottom: 0, containLabel: true },
    tooltip: {
      trigger: "axis",
      confine: true,
      backgroundColor: of("--panel"),
      borderColor: of("--line"),
      textStyle: { color: of("--ink"), fontSize: 12 },
      formatter: (points: Point[]) => {
        const shown = document.createElement("div");
        const day = days[points[0]?.dataIndex ?? 0];
        shown.append(day ? asLongDay(day) : "");
        for (const { seriesIndex, dataIndex } of points) {
          const line = lines[seriesIndex];
          if (!line) continue;
          const row = document.createElement("div");
          row.textContent = `${line.name}: ${line.written(line.values[dataIndex] ?? null)}`;
          shown.append(row);
        }
        return shown;
      },
    },
    xAxis: {
      type: "category",
      data: days.map(asDay),
      boundaryGap: days.length === 1 || lines.some(({ isBar }) => isBar),
      axisLabel: { color: ink, hideOverlap: true },
      axisTick: { show: false },
      axisLine: { lineStyle: { color: of("--line") } },
    },
    yAxis: [axis("left"), axis("right")],
    series: lines.map(({ name, color, values, isBar, scale }) => ({
      name,
      type: isBar ? "bar" : "line",
      yAxisIndex: scale === "right" ? 1 : 0,
      data: values,
      barMaxWidth: 14,
      connectNulls: false,
      showSymbol: values.length < 3,
      symbolSize: 7,
      lineStyle: { width: 2 },
      itemStyle: { color: of(color) },
    })),
  };
}
