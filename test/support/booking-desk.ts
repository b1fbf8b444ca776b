/**
 * A process of its own that drives bookings, each of which writes one row of the user's own table in the transaction of
 * its step, and one more where it is undone: `address count`. Goes on where an earlier one was killed.
 */
import { z } from "zod";
import { fail, Launcher, workflow } from "../../src/index.js";
import type { Transacted } from "../../src/definition/outcome.js";
import * as postgres from "../../src/stores/postgres/index.js";
import * as sqlite from "../../src/stores/sqlite/index.js";

const [address = "", count] = process.argv.slice(2);
const isPostgres = address.startsWith("postgres:");

interface Context {
  readonly state: { readonly number: number };
}

/** One row of the table that the test has made; then what the step gives. */
function written<Result>(what: string, result: (number: number) => Result): Transacted<Context, Result> {
  if (isPostgres) {
    return postgres.transaction(async (connection: postgres.PostgresConnection, { state: { number } }: Context) => {
      await connection.query("INSERT INTO bookings (number, what) VALUES ($1, $2)", [number, what]);
      return result(number);
    }) as unknown as Transacted<Context, Result>;
  }
  return sqlite.transaction((connection, { state: { number } }: Context) => {
    connection.prepare("INSERT INTO bookings (number, what) VALUES (?, ?)").run(number, what);
    return result(number) as never;
  });
}

/** The second step fails for every third: then it is not undone, since nothing of it was committed. */
const book = workflow("book", { input: z.object({ number: z.number() }) })
  .step("reserve", {
    run: written("reserved", () => undefined),
    rollback: written("released", () => undefined),
  })
  .step("confirm", {
    run: written("confirmed", (number) => (number % 3 === 0 ? fail("every-third") : { done: true })),
    rollback: written("taken back", () => undefined),
  });

const store = isPostgres ? postgres.postgresStore(address) : sqlite.sqliteStore(address, { durability: "normal" });
const launcher = new Launcher({ store, workflows: [book], concurrency: 8 });
await launcher.start();
process.stdout.write("started\n");
const items = Array.from({ length: Number(count) }, (_, number) => ({ input: { number }, id: `booking-${number}` }));
for (const item of items) await launcher.launch(book, item.input, { id: item.id });
for (const { id } of items) await launcher.execution(id).outcome();
await launcher.stop();
