/** A store as it is seen over a slow network, by a process whose clock differs from the store's. */
import { sleep, type Clock } from "../../src/clock.js";
import type { Store } from "../../src/index.js";
import { through } from "../../src/testing/faults/through.js";

export interface Way {
  /** How long a question takes to arrive, and an answer to come back, in milliseconds. */
  lag: number;
}

export function far(store: Store, clock: Clock, way: Way): Store {
  const slowly = (call: (...given: unknown[]) => unknown, name: string) =>
    name === "watch"
      ? call
      : async (...given: unknown[]): Promise<unknown> => {
          await sleep(clock, way.lag);
          const answer: unknown = await call(...given);
          await sleep(clock, way.lag);
          return answer;
        };
  // Whose time it keeps is not known from afar.
  return through(store, slowly, { clock: undefined } as object);
}

/** The same clock, set wrong by so many milliseconds. */
export function setWrong(clock: Clock, milliseconds: number): Clock {
  return {
    now: () => clock.now() + milliseconds,
    monotonic: () => clock.monotonic(),
    after: (length, callback) => clock.after(length, callback),
    soon: (callback) => clock.soon(callback),
    random: () => clock.random(),
  };
}
