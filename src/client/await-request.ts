/** Waits for the decision on a request that only the launcher that takes the execution up can make. */
import { StepwellError } from "../errors.js";
import type { ArrivalStatus } from "../execution/records.js";
import type { Store } from "../stores/contract.js";
import type { ClientHost } from "../session/client-host.js";

/** How long between two looks for the answer, where another launcher gives it, in milliseconds. */
const shortestPause = 20;
const longestPause = 1_000;

/**
 * Waits until the arrival is settled. Undefined: the arrival was deleted.
 *
 * @param patience for how long, in milliseconds
 * @throws STEPWELL_LAUNCHER_NOT_RUNNING, STEPWELL_CLIENT_STOPPED where the launcher or client stops first; STEPWELL_UNDECIDED where the patience ends first
 */
export async function awaitRequest(
  arrival: string,
  execution: string,
  store: Store,
  host: ClientHost,
  doing: string,
  patience = Infinity,
): Promise<Exclude<ArrivalStatus, "pending"> | undefined> {
  const { clock } = host;
  const until = clock.monotonic() + patience;
  const look = async (): Promise<ArrivalStatus | undefined> => {
    try {
      const [row] = await store.mail({ executions: [execution], id: arrival });
      return row?.status;
    } catch (error) {
      // A launcher that stops closes its store, so the read fails.
      host.mustRun(doing);
      throw error;
    }
  };
  let isSettled = false;
  let wake = (): void => undefined;
  // Listens before it looks: an arrival that is settled while the store is being asked must not be missed.
  const forget = host.onSettled(arrival, () => {
    isSettled = true;
    wake();
  });
  try {
    for (let pause = shortestPause; ; pause = Math.min(2 * pause, longestPause)) {
      const status = await look();
      if (status !== "pending") return status;
      if (clock.monotonic() >= until) {
        throw new StepwellError(
          "STEPWELL_UNDECIDED",
          `${doing}: no launcher has decided within ${patience} ms on the request to execution "${execution}". ` +
            `The request is stored, and is followed or refused when a launcher takes the execution up.`,
          { execution },
        );
      }
      if (!isSettled) {
        await new Promise<void>((resolve) => {
          const timer = clock.after(Math.min(pause, until - clock.monotonic()), resolve);
          wake = () => {
            timer.cancel();
            resolve();
          };
        });
      }
      isSettled = false;
      host.mustRun(doing);
    }
  } finally {
    forget();
  }
}
