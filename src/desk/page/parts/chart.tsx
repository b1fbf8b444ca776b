/** A chart over time. Loaded when a page wants one: the library is as large as the rest of the page. */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { seenTheme, useTheme } from "../base/settings.js";

export interface Line {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** A colour of the design: `water`, `back`. */
  readonly colour: string;
  readonly dashed?: boolean;
}

interface Props {
  /** In milliseconds since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly unit?: string;
}

const height = 140;

/** The canvas knows no custom properties: it gets the colour that is seen. */
function colourOf(element: HTMLElement, name: string): string {
  element.style.color = `var(--color-${name})`;
  const seen = getComputedStyle(element).color;
  element.style.color = "";
  return seen;
}

function optionsOf(element: HTMLElement, { lines, unit = "" }: Props, width: number): uPlot.Options {
  const ink = colourOf(element, "faint");
  const grid = colourOf(element, "line");
  const font = `11px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 7 } },
    legend: { show: false },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70 },
      { ...axis, size: 44, space: 34, values: (_, splits) => splits.map((one) => `${one}${unit}`) },
    ],
    series: [
      {},
      ...lines.map(({ label, colour, dashed }) => ({
        label,
        stroke: colourOf(element, colour),
        width: 2,
        points: { show: false },
        ...(dashed === true && { dash: [5, 4] }),
      })),
    ],
  };
}

export function Chart(props: Props) {
  const place = useRef<HTMLDivElement>(null);
  const theme = seenTheme(useTheme());
  const { times, lines } = props;
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const data = [times.map((time) => time / 1000), ...lines.map(({ values }) => values)] as uPlot.AlignedData;
    const plot = new uPlot(optionsOf(element, props, element.clientWidth), data, element);
    const watcher = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      plot.destroy();
    };
  }, [times, lines, theme]);
  return <div ref={place} aria-hidden="true" style={{ height: `${height}px` }} />;
}
