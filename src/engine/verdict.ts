/** What became of a request that only the launcher that takes it up can decide. */
import { StepwellError } from "../errors.js";
import type { ArrivalStatus, MailboxRecord } from "../stores/records.js";
import type { Store } from "../stores/store.js";
import type { Supervisor } from "./supervisor.js";

/** How long between two looks for the answer, where another launcher gives it, in milliseconds. */
const shortestPause = 20;
const longestPause = 1_000;

/**
 * Waits until the arrival is settled. Undefined: it is gone.
 *
 * @param patience for how long, in milliseconds
 * @throws STEPWELL_LAUNCHER_NOT_RUNNING where this launcher stops first; STEPWELL_OUTCOME_TIMEOUT where the patience ends first
 */
export async function verdictOn(
  arrival: string,
  execution: string,
  store: Store,
  supervisor: Supervisor,
  doing: string,
  patience = Infinity,
): Promise<Exclude<ArrivalStatus, "pending"> | undefined> {
  const { clock } = supervisor;
  const until = clock.monotonic() + patience;
  const look = async (only?: "pending"): Promise<readonly MailboxRecord[]> => {
    try {
      return await store.mailbox(execution, only);
    } catch (error) {
      // A launcher that stops closes its store.
      supervisor.mustRun(doing);
      throw error;
    }
  };
  let isSettled = false;
  let wake = (): void => undefined;
  // Listens before it looks: what is settled while the store is being asked must not be missed.
  const forget = supervisor.onSettled(arrival, () => {
    isSettled = true;
    wake();
  });
  try {
    for (let pause = shortestPause; ; pause = Math.min(2 * pause, longestPause)) {
      const pending = await look("pending");
      if (!pending.some((row) => row.id === arrival)) break;
      if (clock.monotonic() >= until) {
        const message = `No launcher has decided yet on what execution "${execution}" was asked to do (${doing}). It is stored.`;
        throw new StepwellError("STEPWELL_OUTCOME_TIMEOUT", message, { execution });
      }
      if (!isSettled) {
        await new Promise<void>((resolve) => {
          const timer = clock.after(pause, resolve);
          wake = () => {
            timer.cancel();
            resolve();
          };
        });
      }
      isSettled = false;
      supervisor.mustRun(doing);
    }
  } finally {
    forget();
  }
  const status = (await look()).find(({ id }) => id === arrival)?.status;
  return status === "pending" ? undefined : status;
}
