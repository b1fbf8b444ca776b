/**
 * A process of its own that drives bookings, each of which writes one row of the user's own table in the transaction of
 * its step, and one more where it is undone: `address count`. Goes on where an earlier one was killed.
 */
import { z } from "zod";
import { fail, Launcher, workflow } from "../../src/index.js";
import * as postgres from "../../src/stores/postgres/index.js";
import * as sqlite from "../../src/stores/sqlite/index.js";

const [address = "", count] = process.argv.slice(2);
const isPostgres = address.startsWith("postgres:");

type Written<Result> = ReturnType<typeof postgres.transaction<Promise<Result>, postgres.PostgresConnection>>;

/** One row of the table that the test has made; then what the step gives. */
function written<Result>(number: number, what: string, result: Result): Written<Result> {
  if (isPostgres) {
    return postgres.transaction(async (connection: postgres.PostgresConnection) => {
      await connection.query("INSERT INTO bookings (number, what) VALUES ($1, $2)", [number, what]);
      return result;
    });
  }
  const transacted = sqlite.transaction((connection) => {
    connection.prepare("INSERT INTO bookings (number, what) VALUES (?, ?)").run(number, what);
    return result as never;
  });
  return transacted;
}

const book = workflow("book", { input: z.object({ number: z.number() }) })
  .step("reserve", {
    run: async ({ state }) => written(state.number, "reserved", undefined),
    rollback: async ({ state }) => written(state.number, "released", undefined),
  })
  .step("confirm", {
    run: ({ state: { number } }) =>
      number % 3 === 0
        ? written(number, "confirmed", fail("every-third"))
        : written(number, "confirmed", { done: true }),
  });

const store = isPostgres ? postgres.postgresStore(address) : sqlite.sqliteStore(address, { durability: "normal" });
const launcher = new Launcher({ store, workflows: [book], concurrency: 8 });
await launcher.start();
process.stdout.write("started\n");
const items = Array.from({ length: Number(count) }, (_, number) => ({ input: { number }, id: `booking-${number}` }));
for (const item of items) await launcher.launch(book, item.input, { id: item.id });
for (const { id } of items) await launcher.execution(id).outcome();
await launcher.stop();
