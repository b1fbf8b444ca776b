/** Sees every committed state, to be compared with what the stored history says of it later. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { observer, type Execution, type Observer } from "../../src/index.js";

export class Witness {
  readonly #seen = new Map<string, unknown>();
  /** Commits whose `before` was not the state after the one before. */
  readonly #torn: string[] = [];
  readonly observer: Observer = observer<object>({
    name: "witness",
    commit: ({ execution, revision, state, before }) => {
      const known = this.#seen.get(`${execution.id} ${revision - 1}`);
      if (known !== undefined && !isDeepStrictEqual(before, known)) this.#torn.push(`${execution.id} ${revision}`);
      this.#seen.set(`${execution.id} ${revision}`, state);
    },
  });

  /** Compares every state that the history gives with the one that was seen. Gives them back, from the start on. */
  async confirm(execution: Execution, start: unknown): Promise<unknown[]> {
    const { length } = await execution.history();
    const states = [await execution.stateAt(0)];
    assert.deepEqual(states[0], start);
    for (let revision = 1; revision <= length; revision++) {
      states.push(await execution.stateAt(revision));
      assert.deepEqual(states[revision], this.#seen.get(`${execution.id} ${revision}`), `revision ${revision}`);
    }
    assert.deepEqual(states[length], await execution.state());
    assert.deepEqual(this.#torn, []);
    return states;
  }
}
