/** What is around the executions of a store: the launchers that work on it, the workflows that were seen there, and their limits. */
import type { LimitsDefinition } from "../definition/limits.js";
import type { StepOutline } from "../definition/outline.js";
import type { ClientHost } from "../session/client-host.js";
import { placeIn } from "../session/launcher-place.js";
import type { Registered } from "../session/registry.js";
import { outlineIn } from "../session/step-lists.js";
import type { Beat, LimitStore, Store } from "../stores/contract.js";

/** A launcher that is registered in the store. */
export interface LauncherSummary {
  /** Grows with each launcher that registers. */
  readonly number: number;
  /** The name of its machine. */
  readonly host: string;
  /** The same for all launchers of one boot of a machine, or of one container: hosts may share a name. */
  readonly place: string;
  readonly pid: number;
  /** How long since its last heartbeat, in milliseconds. One that is silent for too long is taken for dead by the others. */
  readonly silentMs: number;
}

/** What has been due for more than a minute, and no launcher has taken: none that runs knows this version of the workflow. */
export interface Unattended {
  readonly what: "executions" | "schedules";
  readonly workflow: string;
  readonly version: string;
}

/** A version of a workflow that launchers have had in this store. */
export interface KnownWorkflow {
  readonly name: string;
  readonly version: string;
  /** The lists of steps that the version has had; mostly one. */
  readonly lists: readonly (readonly StepOutline[])[];
}

/** The limits of a workflow, and how full they are. */
export interface LimitSummary {
  readonly workflow: string;
  /** How many executions may be under way at a time. Null: any number, or the workflow was not given here. */
  readonly concurrency: number | null;
  /** How many executions of one key may be under way at a time. Null: any number. */
  readonly perKey: number | null;
  /** At most `limit` executions begin in `perMs` milliseconds. Null: any number. */
  readonly rate: { readonly limit: number; readonly perMs: number } | null;
  /** How many executions hold a place. */
  readonly held: number;
  /** An execution waits for a place. */
  readonly waiting: boolean;
}

/** Nobody has this number: launchers count from 1. So the beat is nobody's. */
const nobody = 0;

const overdueForMs = 60_000;

/**
 * What operators want to know beside the executions. Changes nothing.
 *
 * @example
 * for (const { workflow, version } of await client.fleet.unattended()) console.log(`nobody runs ${workflow} ${version}`);
 */
export class Fleet {
  /** "memory", "sqlite", "postgres". */
  readonly store: string;
  readonly #store: Store;
  readonly #host: Pick<ClientHost, "ready" | "storeNow">;
  readonly #registry: ReadonlyMap<string, Registered>;

  /** @internal Made by a client. */
  constructor(store: Store, host: Pick<ClientHost, "ready" | "storeNow">, registry: ReadonlyMap<string, Registered>) {
    this.store = store.name;
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
  }

  /** The store's time: all times that it gives are by it. */
  async now(): Promise<Date> {
    await this.#host.ready("fleet.now");
    return new Date(this.#host.storeNow());
  }

  /** In the order of their numbers. */
  async launchers(): Promise<LauncherSummary[]> {
    // Without a host: the number of a launcher that was buried while something of it was under way.
    return (await this.#look("fleet.launchers")).others.flatMap(({ owner, host, pid, silentMs }) =>
      host === "" ? [] : launcherOf(owner, host, pid, silentMs),
    );
  }

  async unattended(): Promise<Unattended[]> {
    const { waiting } = await this.#look("fleet.unattended");
    return (waiting?.overdue ?? []).map(({ what, name, version }) => ({ what, workflow: name, version }));
  }

  /** Every workflow, by version, whose steps a launcher has kept in the store; by name. */
  async workflows(): Promise<KnownWorkflow[]> {
    await this.#host.ready("fleet.workflows");
    const found = new Map<string, KnownWorkflow & { lists: (readonly StepOutline[])[] }>();
    for (const definition of (await this.#store.definitions?.of()) ?? []) {
      const { workflow: name, version } = definition;
      const key = JSON.stringify([name, version]);
      const known = found.get(key) ?? { name, version, lists: [] };
      known.lists.push(outlineIn(definition));
      found.set(key, known);
    }
    return [...found.values()];
  }

  /** The limits of the workflows that were given here, and of those at whose limits an execution waits; by name. */
  async limits(): Promise<LimitSummary[]> {
    const queues = (await this.#look("fleet.limits")).waiting?.gates ?? [];
    const { limits: gates } = this.#store;
    if (gates === undefined) return [];
    const limited = new Map<string, LimitsDefinition | undefined>(queues.map((name) => [name, undefined]));
    for (const { definition } of this.#registry.values()) {
      if (definition.limits !== undefined) limited.set(definition.name, definition.limits);
    }
    const found = [...limited].map(async ([workflow, limits]) => ({
      ...(await limitOf(workflow, limits, gates)),
      waiting: queues.includes(workflow),
    }));
    return (await Promise.all(found)).toSorted((one, other) => (one.workflow < other.workflow ? -1 : 1));
  }

  async #look(where: string): Promise<Beat> {
    await this.#host.ready(where);
    return this.#store.beat(nobody, overdueForMs);
  }
}

function launcherOf(number: number, host: string, pid: number, silentMs: number): LauncherSummary {
  const { place, name } = placeIn(host);
  return { number, host: name, place, pid, silentMs };
}

async function limitOf(
  workflow: string,
  limits: LimitsDefinition | undefined,
  gates: LimitStore,
): Promise<Omit<LimitSummary, "waiting">> {
  const { held } = await gates.read({ gate: workflow, versions: [], limit: 1, keyLimit: null, rate: null });
  const { concurrency = null, perKey = null, rate = null } = limits ?? {};
  return {
    workflow,
    concurrency,
    perKey: perKey?.limit ?? null,
    rate: rate === null ? null : { limit: rate.limit, perMs: rate.per },
    held,
  };
}
