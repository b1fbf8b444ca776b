/** The launchers that live on a memory store. */
import type { LauncherRecord } from "../records.js";

interface Launcher {
  readonly host: string;
  readonly pid: number;
  beatAt: number;
}

export class Launchers {
  readonly #all = new Map<number, Launcher>();
  #last = 0;

  has(owner: number): boolean {
    return this.#all.has(owner);
  }

  register({ host, pid }: { readonly host: string; readonly pid: number }, at: number): number {
    this.#all.set(++this.#last, { host, pid, beatAt: at });
    return this.#last;
  }

  beat(owner: number, at: number): { readonly alive: boolean; readonly others: readonly LauncherRecord[] } {
    const own = this.#all.get(owner);
    if (own !== undefined) own.beatAt = at;
    const others: LauncherRecord[] = [];
    for (const [number, { host, pid, beatAt }] of this.#all) {
      if (number !== owner) others.push({ owner: number, host, pid, silentMs: Math.max(0, at - beatAt) });
    }
    return { alive: own !== undefined, others };
  }

  remove(owners: Iterable<number>): void {
    for (const owner of owners) this.#all.delete(owner);
  }
}
