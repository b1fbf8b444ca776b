/** Five lines that list what is stuck and try it again, while launchers run elsewhere: `tsx mend.ts <store>`. */
import { Client, type Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";

const [, , place = "orders.db", schema] = process.argv;
const store: Store = schema === undefined ? sqliteStore(place) : postgresStore(place, { schema });

await using client = new Client({ store });
const { executions } = await client.list({ status: "stuck", children: true });
for (const { id, flow, error } of executions) console.log(`${id} is stuck at ${flow.step}: ${error?.message}`);
const { accepted } = await client
  .select({ status: "stuck", children: true })
  .retry({ by: "ada", reason: "the bank is open again" });
console.log(`tried again: ${accepted}`);
