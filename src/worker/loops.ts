/** The loops of a launcher, one for each execution that it drives. */
import type { ExecutionLoop } from "../runtime/loop.js";

export class Loops {
  readonly #current = new Map<string, ExecutionLoop>();
  /** Taken up again, before the loop in its place has heard that its last commit let go of it: that one comes to rest first. */
  readonly #successors = new Map<string, ExecutionLoop>();

  readonly #begin: (loop: ExecutionLoop) => void;

  constructor(begin: (loop: ExecutionLoop) => void) {
    this.#begin = begin;
  }

  get size(): number {
    return this.#current.size;
  }

  has(id: string): boolean {
    return this.#current.has(id);
  }

  get(id: string): ExecutionLoop | undefined {
    return this.#current.get(id);
  }

  all(): readonly ExecutionLoop[] {
    return [...this.#current.values()];
  }

  /** Begins the loop; where its execution has one already, when that one has left. */
  add(loop: ExecutionLoop): void {
    const { id } = loop;
    if (this.#current.has(id)) return void this.#successors.set(id, loop);
    this.#current.set(id, loop);
    this.#begin(loop);
  }

  remove(loop: ExecutionLoop): void {
    const { id } = loop;
    if (this.#current.get(id) !== loop) return;
    this.#current.delete(id);
    const successor = this.#successors.get(id);
    if (this.#successors.delete(id)) this.add(successor!);
  }

  /** The launcher owns none of their executions any more. */
  dropAll(): void {
    this.#successors.clear();
    for (const loop of this.all()) loop.drop();
  }
}
