/**
 * A process of its own that drives bookings on an SQLite file, each of which writes one row of the user's own table
 * in the transaction of its step, and one more where it is undone: `path count`. Goes on where an earlier one was killed.
 */
import { z } from "zod";
import { fail, Launcher, workflow } from "../../src/index.js";
import { sqliteStore, transaction, type SqliteConnection } from "../../src/stores/sqlite/index.js";

const write = (connection: SqliteConnection, number: number, what: string): void => {
  connection.exec("CREATE TABLE IF NOT EXISTS bookings (number INTEGER NOT NULL, what TEXT NOT NULL)");
  connection.prepare("INSERT INTO bookings (number, what) VALUES (?, ?)").run(number, what);
};

const book = workflow("book", { input: z.object({ number: z.number() }) })
  .step("reserve", {
    run: async ({ state }) => transaction((connection) => write(connection, state.number, "reserved")),
    rollback: async ({ state }) => transaction((connection) => write(connection, state.number, "released")),
  })
  .step("confirm", {
    run: ({ state }) =>
      transaction((connection) => {
        write(connection, state.number, "confirmed");
        return state.number % 3 === 0 ? fail("every-third") : { done: true };
      }),
  });

const [path, count] = process.argv.slice(2);
const launcher = new Launcher({
  store: sqliteStore(path!, { durability: "normal" }),
  workflows: [book],
  concurrency: 8,
});
await launcher.start();
process.stdout.write("started\n");
const items = Array.from({ length: Number(count) }, (_, number) => ({ input: { number }, id: `booking-${number}` }));
for (const item of items) await launcher.launch(book, item.input, { id: item.id });
for (const { id } of items) await launcher.execution(id).outcome();
await launcher.stop();
