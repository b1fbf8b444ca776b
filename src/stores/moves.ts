import type { Wanted } from "./contract.js";

interface Listening {
  readonly wanted: Wanted;
  readonly listener: (moved: readonly string[]) => void;
}

/** Those who follow executions of a store within its process. While nobody does, a commit pays for one look at a number. */
export class Moves {
  readonly #all = new Set<Listening>();
  readonly #byId = new Map<string, Set<Listening>>();
  #size = 0;

  get isWatched(): boolean {
    return this.#size > 0;
  }

  /** What is wanted by anybody. */
  get wanted(): Wanted {
    return this.#all.size > 0 ? "all" : [...this.#byId.keys()];
  }

  follow(wanted: Wanted, listener: (moved: readonly string[]) => void): () => void {
    const listening: Listening = { wanted, listener };
    this.#size += 1;
    if (wanted === "all") this.#all.add(listening);
    else for (const id of wanted) this.#listenersOf(id).add(listening);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#size -= 1;
      this.#all.delete(listening);
      if (wanted !== "all") for (const id of wanted) this.#forget(id, listening);
    };
  }

  /** To be called after the commit, while `isWatched`. */
  tell(moved: readonly string[]): void {
    if (moved.length === 0) return;
    for (const { listener } of [...this.#all]) listener(moved);
    if (this.#byId.size === 0) return;
    for (const id of moved) for (const { listener } of [...(this.#byId.get(id) ?? [])]) listener([id]);
  }

  #listenersOf(id: string): Set<Listening> {
    let listeners = this.#byId.get(id);
    if (listeners === undefined) this.#byId.set(id, (listeners = new Set()));
    return listeners;
  }

  #forget(id: string, listening: Listening): void {
    const listeners = this.#byId.get(id);
    listeners?.delete(listening);
    if (listeners?.size === 0) this.#byId.delete(id);
  }
}

interface Written {
  readonly transitions: readonly { readonly id: string }[];
  readonly releases: readonly { readonly id: string; readonly parks?: true }[];
}

/** What a batch has moved, as far as it was taken. */
export function movedBy({ transitions, releases }: Written): string[] {
  const moved = transitions.map(({ id }) => id);
  for (const { id, parks } of releases) if (parks === true) moved.push(id);
  return moved;
}
