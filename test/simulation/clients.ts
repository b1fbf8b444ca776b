/** Clients of a simulation that drive nothing: each in a process of its own, on a line of its own, and with no workflow listed. */
import { Client } from "../../src/index.js";
import { clientSettingsOf } from "../../src/session/options.js";
import { StoreSession } from "../../src/session/store-session.js";
import type { StepwellError } from "../../src/errors.js";
import type { Line } from "./machine.js";

/** What clients alone must have done in a long run. */
export const clientSights = [
  ...(["launch", "send", "publish", "rollback", "rewind", "outcome"] as const),
  ...(["retry", "skip", "patchState", "resolve"] as const),
].map((what) => `a client's ${what}`);

/** Its clock is that of its process, and not that of the store. */
export function clientOn({ store, clock }: Line, onError: (error: StepwellError) => void): Client {
  const options = { store, onError };
  const host = new StoreSession({ ...clientSettingsOf(options), clock });
  return new Client(options, { store, host, registry: host.registry });
}
