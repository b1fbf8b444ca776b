/** The dashboard and the alert rules of docs/monitoring ask for metrics that there are, by labels that these have. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { metrics } from "../src/observers/metrics.js";

const folder = join(import.meta.dirname, "../docs/monitoring");
const alerts = await readFile(join(folder, "alerts.yaml"), "utf8");
const dashboard = JSON.parse(await readFile(join(folder, "dashboard.json"), "utf8")) as {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
};

/** What is registered: the names that Prometheus sees, and their labels. */
async function known(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const registry = new Registry();
  metrics({ registry, stuck: async () => ({ executions: [] }), deadLetters: async () => [] });
  const names = new Map<string, ReadonlySet<string>>();
  for (const { name, type } of await registry.getMetricsAsJSON()) {
    const { labelNames } = registry.getSingleMetric(name) as unknown as { readonly labelNames: readonly string[] };
    const isHistogram = String(type) === "histogram";
    for (const suffix of isHistogram ? ["_bucket", "_sum", "_count"] : [""]) {
      names.set(name + suffix, new Set([...labelNames, ...(suffix === "_bucket" ? ["le"] : [])]));
    }
  }
  return names;
}

/** The expressions of the rules: on their line, or below it. */
const rules = [...alerts.matchAll(/^ +expr: (?:\|\n((?: {10,}.*\n)+)|(.*)$)/gm)].map(
  ([, below, same]) => below ?? same ?? "",
);

const queries = [...rules, ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))];

test("every metric that they ask for is one that is registered, with the labels that they name", async () => {
  const names = await known();
  expect(rules).toHaveLength(alerts.match(/^ +- alert:/gm)!.length);
  expect(queries.length).toBeGreaterThan(15);
  for (const query of queries) {
    const asked = [...query.matchAll(/stepwell_\w+/g)].map(([name]) => name);
    expect(asked.length, query).toBeGreaterThan(0);
    for (const name of asked) expect([...names.keys()], query).toContain(name);
    const labels = new Set(asked.flatMap((name) => [...names.get(name)!]));
    const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
    const matched = [...query.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = ""]) =>
      [...list.matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)].map(([, label = ""]) => label),
    );
    for (const label of [...grouped, ...matched]) expect([...labels], query).toContain(label);
    expect(query.match(/\(/g)?.length, query).toBe(query.match(/\)/g)?.length);
  }
});

test("every metric is on the dashboard, and no panel lies on another one", async () => {
  const shown = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join("\n");
  const bases = new Set([...(await known()).keys()].map((name) => name.replace(/_(?:bucket|sum|count)$/, "")));
  for (const base of bases) expect(shown).toContain(base);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)}/${y + Math.floor(n / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});

test("docs/deploying.md explains every alert, and no other", async () => {
  const page = await readFile(join(folder, "../deploying.md"), "utf8");
  const explained = [...page.matchAll(/^\| `(Stepwell\w+)`/gm)].map(([, name]) => name);
  expect(explained).toEqual([...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name));
});
