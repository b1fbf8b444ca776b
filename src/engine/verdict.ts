/** What became of a request that only the launcher that takes it up can decide. */
import type { ArrivalStatus, Store } from "../stores/store.js";
import type { Supervisor } from "./supervisor.js";

/** How long between two looks for the answer, where another launcher gives it, in milliseconds. */
const shortestPause = 20;
const longestPause = 1_000;

/**
 * Waits until the arrival is settled. Undefined: it is gone.
 *
 * @throws STEPWELL_LAUNCHER_NOT_RUNNING where this launcher stops first
 */
export async function verdictOn(
  arrival: string,
  execution: string,
  store: Store,
  supervisor: Supervisor,
  doing: string,
): Promise<Exclude<ArrivalStatus, "pending"> | undefined> {
  for (let pause = shortestPause; ; pause = Math.min(2 * pause, longestPause)) {
    const pending = await store.mailbox(execution, "pending");
    if (!pending.some((row) => row.id === arrival)) break;
    await supervisor.verdict(arrival, pause);
    supervisor.mustRun(doing);
  }
  const status = (await store.mailbox(execution)).find(({ id }) => id === arrival)?.status;
  return status === "pending" ? undefined : status;
}
