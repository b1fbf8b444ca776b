/** One execution of three steps at a time, beside a plain loop that writes the same rows, one round trip for each write. */
import type { Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";
import { quantile, type Figure } from "../figures.js";
import { rawOneByOne, writesOnPostgres } from "../raw/postgres.js";
import { RawFile, writesOnSqlite } from "../raw/sqlite.js";
import { collectGarbage, launcherOn, timed } from "../support/load.js";
import { withFolder, withPostgres } from "../support/places.js";
import { order, up } from "../support/work.js";

const count = 500;
const warm = 200;
/** So many of the one, then of the other: both have the same machine. */
const turn = 25;

type Write = (place: number) => Promise<void>;

export async function latency(): Promise<Figure[]> {
  const onPostgres = await withPostgres(async (database) => {
    const writes = await writesOnPostgres(database, up);
    const raw = await rawOneByOne(database, writes);
    const store = postgresStore(database.url, { schema: database.newSchema() });
    const figures = await measured("postgres.latency", store, raw.write);
    await raw.end();
    return figures;
  });
  const onSqlite = await withFolder(async (path) => {
    const raw = new RawFile(path("raw.db"), await writesOnSqlite(path("noted.db"), up));
    const figures = await measured("sqlite.latency", sqliteStore(path("engine.db")), async (place) =>
      raw.write(place, 1),
    );
    raw.close();
    return figures;
  });
  return [...onPostgres, ...onSqlite];
}

async function measured(name: string, store: Store, write: Write): Promise<Figure[]> {
  const launcher = await launcherOn(store, [up]);
  const one = async (): Promise<void> => {
    await (await launcher.launch(up, order)).outcome();
  };
  const times = { engine: [] as number[], raw: [] as number[] };
  for (let place = 0; place < warm + count; place += turn) {
    if (place === warm) {
      times.engine.length = times.raw.length = 0;
      collectGarbage();
    }
    for (let next = place; next < place + turn; next++) times.engine.push(await timed(one));
    for (let next = place; next < place + turn; next++) times.raw.push(await timed(() => write(next)));
  }
  await launcher.stop();
  return [figureOf(name, "median", 0.5, times), figureOf(`${name}.p99`, "p99", 0.99, times)];
}

function figureOf(
  name: string,
  word: string,
  share: number,
  times: { readonly engine: readonly number[]; readonly raw: readonly number[] },
): Figure {
  const [value, plain] = [quantile(times.engine, share), quantile(times.raw, share)];
  return { name, value, unit: `ms (${word})`, ratio: value / plain, to: "the plain loop", extra: { plain } };
}
