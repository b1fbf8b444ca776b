/**
 * `npm run bench:plot -- figures.jsonl`: draws the ratios of a run, `npm run bench -- --json > figures.jsonl`, as
 * `docs/performance.svg`: each figure beside what its unit or its limit is.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

interface Line {
  readonly name: string;
  readonly ratio?: number;
  readonly against?: { readonly ref: string; readonly times: number };
}

interface Bar {
  readonly name: string;
  readonly what: string;
  readonly value: number;
}

const target = fileURLToPath(new URL("../docs/performance.svg", import.meta.url));

/** Throughput and latency, whose ratios say something by themselves. */
const shown = /^(?:memory|sqlite|postgres)\.(?:up|down|latency)/;

function barsOf(text: string): Bar[] {
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);
  return lines
    .filter(({ name }) => shown.test(name))
    .flatMap(({ name, ratio, against }) => [
      ...(ratio === undefined ? [] : [{ name, what: "to the plain limit of the store", value: ratio }]),
      ...(against === undefined ? [] : [{ name, what: `to commit ${against.ref}`, value: against.times }]),
    ]);
}

/** The picture, as SVG. */
async function drawn(bars: readonly Bar[]): Promise<string> {
  const shared = {
    x: { field: "value", type: "quantitative", title: "ratio" },
    y: { field: "name", type: "nominal", title: null, sort: null },
    yOffset: { field: "what" },
  } as const;
  const spec: TopLevelSpec = {
    background: "white",
    width: 480,
    height: { step: 16 },
    data: { values: [...bars] },
    layer: [
      {
        mark: "bar",
        encoding: {
          ...shared,
          color: { field: "what", type: "nominal", title: null, legend: { orient: "bottom", labelLimit: 0 } },
        },
      },
      {
        mark: { type: "text", align: "left", dx: 3 },
        encoding: { ...shared, text: { field: "value", type: "quantitative", format: ".2f" } },
      },
    ],
  };
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  return view.toSVG();
}

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error("Give the file with the figures: npm run bench -- --json > figures.jsonl");
  process.exitCode = 2;
} else {
  writeFileSync(target, await drawn(barsOf(readFileSync(file, "utf8"))));
  console.log(`Drawn: ${target}`);
}
