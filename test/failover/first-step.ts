/** When work went on after a failover: by the first step that was committed after it. All clocks are this machine's. */
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { until } from "./node.js";

/** How long it may take, in milliseconds. */
const patience = 120_000;

export async function firstStepAfter(promotedAt: number, url: string): Promise<number> {
  const client = new pg.Client(url);
  client.on("error", () => undefined);
  let at: number | null = null;
  await client.connect();
  try {
    await until(
      () => "a step is committed after a failover",
      patience,
      async () => {
        // It reads all of the history, and the time is in the rows.
        await setTimeout(250);
        const text = "SELECT min(at) AS at FROM stepwell.stepwell_history WHERE at > $1";
        const { rows } = await client.query<{ readonly at: number | null }>(text, [promotedAt]);
        at = rows[0]!.at;
        return at !== null;
      },
    );
  } finally {
    await client.end();
  }
  return at!;
}
