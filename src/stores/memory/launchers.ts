/** The launchers that live on a memory store. */
import type { Death, Fate, LauncherRecord } from "../records.js";

interface Launcher {
  readonly host: string;
  readonly pid: number;
  beatAt: number;
}

export class Launchers {
  readonly #all = new Map<number, Launcher>();
  /** Who was buried without having left, and not heard of again. */
  readonly #buried = new Map<number, { readonly fate: Death["fate"]; readonly at: number }>();
  #last = 0;

  has(owner: number): boolean {
    return this.#all.has(owner);
  }

  register(
    { host, pid }: { readonly host: string; readonly pid: number },
    formerly: number | undefined,
    at: number,
  ): number {
    if (formerly !== undefined) this.#buried.delete(formerly);
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

  /** Whose burial counts against what they owned. */
  bury(owners: Iterable<number>, fate: Fate | undefined, at: number): ReadonlySet<number> {
    const counted = new Set<number>();
    for (const owner of owners) {
      const wasThere = this.#all.delete(owner);
      if (fate === "left") this.#buried.delete(owner);
      else if (wasThere && fate !== undefined) {
        this.#buried.set(owner, { fate, at });
        counted.add(owner);
      }
    }
    return counted;
  }

  deaths(owners: readonly number[], at: number): Death[] {
    return owners.flatMap((owner) => {
      const burial = this.#buried.get(owner);
      return burial === undefined ? [] : { fate: burial.fate, sinceMs: Math.max(0, at - burial.at) };
    });
  }
}
