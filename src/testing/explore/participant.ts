/**
 * The other side, for explorations and tests: a bank, a warehouse, a broker, as far as a workflow can tell. It remembers what stands
 * there, under which key.
 */

export interface ParticipantOptions {
  /**
   * Whether it knows idempotency keys, as a good API does: the same key again is the same effect, and what was called off under a key
   * can't be done under it any more. False: each call has its effect, and keys are no more than a note that can be looked for.
   * Default: true.
   */
  readonly keys?: boolean;
}

/** What was done there and still stands. */
export interface Standing {
  readonly effect: string;
  readonly key: string;
  readonly value: unknown;
}

interface Entry extends Standing {
  stands: boolean;
}

/**
 * A participant that can be asked to do something, to undo it, and what it has done. `explore` looks at the participants of a world
 * by itself: that nothing stands twice, that nothing stands after a rollback which the certificate does not name, and that what a
 * completed execution did stands.
 *
 * @example
 * const bank = new Participant();
 * workflow("order", { input }).step("charge", {
 *   run: ({ state, idempotencyKey }) => ({ charge: bank.do("charge", idempotencyKey, state.amount) }),
 *   rollback: ({ runKey }) => bank.undo("charge", runKey),
 * });
 */
export class Participant {
  readonly #knowsKeys: boolean;
  readonly #entries: Entry[] = [];
  readonly #calledOff = new Set<string>();

  constructor(options: ParticipantOptions = {}) {
    this.#knowsKeys = options.keys ?? true;
  }

  /**
   * @param value what the other side remembers of it, and gives back
   * @throws Error where it knows keys: this one is another effect's, or what it stands for was called off
   */
  do<Value = undefined>(effect: string, key: string, value?: Value): Value {
    if (this.#knowsKeys) {
      const known = this.#entries.find((entry) => entry.key === key);
      if (this.#calledOff.has(key)) throw new Error(`"${effect}" under "${key}" was called off.`);
      if (known !== undefined && known.effect !== effect) throw new Error(`"${key}" is the key of "${known.effect}".`);
      if (known !== undefined) return known.value as Value;
    }
    this.#entries.push({ effect, key, value, stands: true });
    return value as Value;
  }

  /**
   * Undoes what stands under this key; without keys, one of them. Where nothing does, nothing happens, and what comes under the key
   * later is refused: it was called off.
   */
  undo(effect: string, key: string): void {
    const found = this.#entries.find((entry) => entry.stands && entry.key === key && entry.effect === effect);
    if (found !== undefined) found.stands = false;
    if (this.#knowsKeys) this.#calledOff.add(key);
  }

  /** What stands under this key: its value. Undefined: nothing does. */
  find<Value = unknown>(effect: string, key: string): { readonly value: Value } | undefined {
    const found = this.#entries.find((entry) => entry.stands && entry.key === key && entry.effect === effect);
    return found === undefined ? undefined : { value: found.value as Value };
  }

  /** What was done and is not undone, in order. */
  get standing(): readonly Standing[] {
    return this.#entries.flatMap(({ stands, effect, key, value }) => (stands ? [{ effect, key, value }] : []));
  }

  /** Whether anything was ever done under this key, undone or not. */
  knows(key: string): boolean {
    return this.#entries.some((entry) => entry.key === key);
  }

  /** All that it will ever answer from: two participants that are equal in this can't be told apart. */
  snapshot(): unknown {
    return [
      this.#entries.map(({ effect, key, value, stands }) => [effect, key, value, stands]),
      [...this.#calledOff].toSorted(),
    ];
  }
}

/** The participants of a world: the world itself, or what its fields hold. */
export function participantsOf(world: unknown): readonly (readonly [name: string, participant: Participant])[] {
  if (world instanceof Participant) return [["the other side", world]];
  if (typeof world !== "object" || world === null) return [];
  return Object.entries(world).filter((entry): entry is [string, Participant] => entry[1] instanceof Participant);
}

/** Undefined: this world can't say how it stands, so no two histories are known to be one. */
export function snapshotOf(world: unknown): unknown {
  if (typeof world !== "object" || world === null) return world === undefined ? null : undefined;
  if ("snapshot" in world && typeof world.snapshot === "function") return (world.snapshot as () => unknown)();
  const values = Object.values(world);
  if (!values.every((value) => value instanceof Participant)) return undefined;
  return values.map((participant) => participant.snapshot());
}
