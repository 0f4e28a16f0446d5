/** What ECharts is told to draw: lines and bars by days, in the page's own colours, and what is shown at a pointer. */

import { asDay, asLongDay } from "./format";
import { lonely } from "./scale";

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

type Point = { seriesIndex: number; dataIndex: number };

const scaleOf = (line: Line): "left" | "right" => line.scale ?? "left";

/** The style sheet's colours as a canvas takes them: a name of the system's (`CanvasText`) too. */
function paletteOf(place: HTMLElement): (name: string) => string {
  const probe = document.createElement("span");
  probe.style.setProperty("forced-color-adjust", "none");
  return (name) => {
    probe.style.color = `var(${name})`;
    place.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
}

export function optionOf(days: readonly string[], lines: readonly Line[], place: HTMLElement) {
  const of = paletteOf(place);
  const { fontFamily, fontSize } = getComputedStyle(place);
  // Of the page's, which is smaller on paper.
  const mark = { color: of("--ink-2"), fontSize: 0.8 * Number.parseFloat(fontSize) };
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
      axisLabel: { ...mark, formatter: first?.marked ?? first?.written ?? String },
      splitLine: { show: scale === "left", lineStyle: { color: of("--rule") } },
    };
  };
  const placed = ({ name, color, scale }: Line) => ({
    name,
    yAxisIndex: scale === "right" ? 1 : 0,
    itemStyle: { color: of(color) },
  });
  return {
    animation: false,
    textStyle: { fontFamily },
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
      axisLabel: { ...mark, hideOverlap: true, margin: 12 },
      axisTick: { show: false },
      axisLine: { lineStyle: { color: of("--rule") } },
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
          // Not only at the days that have room for their name.
          showAllSymbol: true,
          symbolSize: 7,
          silent: true,
        })),
    ],
  };
}
