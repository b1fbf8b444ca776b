/** Certificates: what an execution at rest did, what undid it, and what is left of it in the world. Made from what is stored alone. */
import { digestFormat, digestOf } from "./digest.js";
import { doingsOf, type CertifiedDoing, type KeyOf, type WhyLeft } from "../execution/certificate.js";
import type { Status } from "../definition/flow.js";
import type { StepOutline } from "../definition/outline.js";
import { StepwellError } from "../errors.js";
import type { ExecutionRecord, HistoryRecord } from "../execution/records.js";
import { idempotencyKey } from "../ids.js";
import type { ClientHost } from "../session/client-host.js";
import { type Registered, registryKey } from "../session/registry.js";
import type { Store } from "../stores/contract.js";
import { canonical } from "../values/canonical.js";
import { invalidArgument, shown } from "../values/options.js";
import { childGroupsOf, childLinesOf } from "./children.js";

/** What one execution did. Times are ISO 8601; it is plain JSON, and holds no value of the state. */
export interface CertifiedExecution {
  readonly execution: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: Status;
  readonly reason: string;
  /** How many transitions it is made of. */
  readonly revision: number;
  readonly createdAt: string;
  /** When the execution came to rest. */
  readonly restedAt: string;
  /** Each doing of a step, in the order in which they were begun. */
  readonly doings: readonly CertifiedDoing[];
  /** SHA-256 over the rows of its history and the digests of its children, in hexadecimal. */
  readonly digest: string;
  /** Its children, in the order of their lists; theirs are with them. */
  readonly children: readonly CertifiedExecution[];
}

/** An effect that was done and is not undone. */
export interface LeftInWorld {
  readonly execution: string;
  readonly step: string;
  readonly round: number;
  readonly key: string;
  readonly why: WhyLeft;
  /** What its workflow says, or who skipped its undo. */
  readonly said?: string;
  readonly by?: string;
}

export interface Certificate extends CertifiedExecution {
  readonly format: typeof digestFormat;
  /** All that is left in the world, of children too. */
  readonly left: readonly LeftInWorld[];
  /** How many executions below it are left out, since there are more than a thousand. */
  readonly untold: number;
}

/**
 * `changed`: the store says something else. `gone-on`: what was certified is as it was, and the execution has gone on since. `pruned`: it
 * is not there any more.
 */
export type CertificateCheck =
  | { readonly valid: true; readonly why?: "gone-on" }
  | { readonly valid: false; readonly why: "changed" | "pruned"; readonly execution: string };

/** So many executions a certificate tells of. */
const mostTold = 1000;

interface Budget {
  left: number;
  untold: number;
}

export class Certificates {
  readonly #store: Store;
  readonly #host: Pick<ClientHost, "stepLists">;
  readonly #registry: ReadonlyMap<string, Registered>;

  constructor(store: Store, host: Pick<ClientHost, "stepLists">, registry: ReadonlyMap<string, Registered>) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
  }

  /** @throws STEPWELL_NOT_AT_REST */
  async of(record: ExecutionRecord): Promise<Certificate> {
    const { id, workflow, status } = record;
    if (status !== "completed" && status !== "rolledBack" && status !== "stuck") {
      const message = `Execution "${id}" is ${status}: a certificate tells of one that is at rest. Wait for its outcome.`;
      throw new StepwellError("STEPWELL_NOT_AT_REST", message, { execution: id, workflow });
    }
    const budget: Budget = { left: mostTold - 1, untold: 0 };
    const certified = await this.#certified(record, budget);
    return { format: digestFormat, ...certified, left: leftIn(certified), untold: budget.untold };
  }

  async check(certificate: Certificate): Promise<CertificateCheck> {
    if (typeof certificate !== "object" || certificate === null || certificate.format !== digestFormat) {
      const what = "a certificate of this format, as certificate() gives it";
      throw invalidArgument(`verifyCertificate takes ${what}, not ${shown(certificate)}`);
    }
    const { left, untold, format: _, ...certified } = certificate;
    const changed = { valid: false, why: "changed", execution: certificate.execution } as const;
    if (canonical(leftIn(certified)) !== canonical(left)) return changed;
    const budget: Budget = { left: mostTold - 1, untold: 0 };
    const found = await this.#checked(certified, budget);
    return found.valid && found.why === undefined && budget.untold !== untold ? changed : found;
  }

  async #checked(certified: CertifiedExecution, budget: Budget): Promise<CertificateCheck> {
    const { execution, revision, children } = certified;
    const [record] = await this.#store.load([execution]);
    if (record === undefined) return { valid: false, why: "pruned", execution };
    const rows = await this.#store.history(execution, { after: 0, limit: revision });
    const isSame = record.revision === revision;
    // Of one that has gone on nobody knows how it stood, but by its history.
    const { status, version } = isSame ? record : certified;
    const reason = isSame ? record.position.reason : certified.reason;
    const stood = { ...record, status, version, reason };
    const isTrue = canonical(certifiedOf(stood, rows, await this.#stepsOf(record), children)) === canonical(certified);
    const ids = isTrue ? await this.#childIds(execution, budget) : [];
    const told = children.map((child) => child.execution);
    const areThey = isSame ? canonical(ids) === canonical(told) : told.every((id) => ids.includes(id));
    if (!isTrue || !areThey) return { valid: false, why: "changed", execution };
    let hasGoneOn = !isSame;
    for (const child of children) {
      const found = await this.#checked(child, budget);
      if (!found.valid) return found;
      hasGoneOn ||= found.why === "gone-on";
    }
    return hasGoneOn ? { valid: true, why: "gone-on" } : { valid: true };
  }

  async #certified(record: ExecutionRecord, budget: Budget): Promise<CertifiedExecution> {
    const rows = await this.#store.history(record.id);
    const children: CertifiedExecution[] = [];
    const ids = await this.#childIds(record.id, budget);
    for (let from = 0; from < ids.length; from += pageSize) {
      for (const child of await this.#store.load(ids.slice(from, from + pageSize)))
        if (child !== undefined) children.push(await this.#certified(child, budget));
    }
    const stood = { ...record, reason: record.position.reason };
    return certifiedOf(stood, rows, await this.#stepsOf(record), children);
  }

  async #stepsOf({ workflow, version, fingerprint }: ExecutionRecord): Promise<readonly StepOutline[] | undefined> {
    const kept = fingerprint === null ? undefined : await this.#host.stepLists.find(workflow, version, fingerprint);
    return kept ?? this.#registry.get(registryKey(workflow, version))?.stepList.outline;
  }

  /** The ids of the children that have begun, in the order of their lists; as many as may be told. */
  async #childIds(parent: string, budget: Budget): Promise<string[]> {
    const ids: string[] = [];
    for (const { step, number, count, notBegun } of await childGroupsOf(this.#store, parent)) {
      const wanted = Math.min(count - notBegun, budget.left);
      budget.untold += count - notBegun - wanted;
      budget.left -= wanted;
      for (let from = 0; from < wanted; from += pageSize) {
        const limit = Math.min(pageSize, wanted - from);
        const lines = await childLinesOf(this.#store, parent, step, { number, from, limit });
        ids.push(...lines.map(({ id }) => id));
      }
    }
    return ids;
  }
}

const pageSize = 100;

interface Stood extends Pick<ExecutionRecord, "id" | "workflow" | "version" | "status" | "createdAt" | "input"> {
  readonly reason: string;
}

function certifiedOf(
  { id, workflow, version, status, reason, createdAt, input }: Stood,
  rows: readonly HistoryRecord[],
  steps: readonly StepOutline[] | undefined,
  children: readonly CertifiedExecution[],
): CertifiedExecution {
  return {
    execution: id,
    workflow,
    version,
    status,
    reason,
    revision: rows.length,
    createdAt: new Date(createdAt).toISOString(),
    restedAt: new Date(rows.at(-1)?.at ?? createdAt).toISOString(),
    doings: doingsOf(rows, status, steps, keyOf(id)),
    digest: digestOf(
      id,
      rows[0]?.initial ?? input,
      rows,
      children.map(({ digest }) => digest),
    ),
    children,
  };
}

function keyOf(execution: string): KeyOf {
  return (step, func, round) => idempotencyKey(execution, step, func, undefined, round);
}

function leftIn({ execution, doings, children }: CertifiedExecution): LeftInWorld[] {
  const own = doings.flatMap(({ step, round, key, left, said, undo }): LeftInWorld[] => {
    if (left === undefined) return [];
    const why = left === "skipped" ? undo?.why : said;
    const by = left === "skipped" ? undo?.by : undefined;
    return [
      {
        execution,
        step,
        round,
        key,
        why: left,
        ...(why !== undefined && { said: why }),
        ...(by !== undefined && { by }),
      },
    ];
  });
  return [...own, ...children.flatMap(leftIn)];
}
