/** Throughput of one, two and four processes that share a PostgreSQL server on this machine. */
import { perSecond } from "../support/load.js";
import type { Figure } from "../figures.js";
import { prepared } from "../raw/postgres.js";
import { helper } from "../support/helper.js";
import { withPostgres } from "../support/places.js";

const count = 15_000;

export async function scale(): Promise<Figure[]> {
  return withPostgres(async ({ url, newSchema }) => {
    const figures: Figure[] = [];
    for (const processes of [1, 2, 4]) {
      const schema = newSchema();
      await prepared(url, schema);
      const each = Math.round(count / processes);
      const helpers = Array.from({ length: processes }, () => helper("drive", url, schema, each));
      await Promise.all(helpers.map((it) => it.answer()));
      const began = performance.now();
      const done = helpers.map((it) => it.answer());
      for (const it of helpers) it.go();
      await Promise.all(done);
      const value = perSecond(each * processes, began);
      figures.push({ name: `postgres.scale.${processes}`, value, unit: "executions/s" });
      await Promise.all(helpers.map(({ exited }) => exited));
    }
    const [single] = figures;
    return figures.map((it) => (it === single ? it : { ...it, ratio: it.value / single!.value, to: "one process" }));
  });
}
