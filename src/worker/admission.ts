/** Who of those that wait may begin now: what the limits of a workflow mean stands here, once. Pure. */
import type { LimitsDefinition } from "../definition/limits.js";
import type { Candidate, GateQuery, GateState } from "../stores/contract.js";

/** The limits of a workflow, as numbers. Null: none. */
export interface Limits {
  readonly concurrency: number | null;
  readonly perKey: number | null;
  readonly rate: { readonly limit: number; readonly perMs: number } | null;
}

export function limitsOf({ concurrency, perKey, rate }: LimitsDefinition): Limits {
  return {
    concurrency,
    perKey: perKey?.limit ?? null,
    rate: rate === null ? null : { limit: rate.limit, perMs: rate.per },
  };
}

/** More is never asked of a gate at once. */
const mostCandidates = 256;

/** @param room how many more the launcher could work on */
export function queryOf(gate: string, versions: readonly string[], limits: Limits, room: number): GateQuery {
  const limit = Math.min(room, limits.concurrency ?? Infinity, mostCandidates);
  return { gate, versions, limit, keyLimit: limits.perKey, rate: limits.rate };
}

/** The candidates that have a place under every limit, in their order. One that has none is passed over by those behind it. */
export function admissible(
  { candidates, held }: Pick<GateState, "candidates" | "held">,
  { concurrency, perKey, rate }: Limits,
  room: number,
): readonly Candidate[] {
  let left = Math.min(room, concurrency === null ? Infinity : concurrency - held);
  const heldByKey = new Map<string, number>();
  const startedByKey = new Map<string | null, number>();
  const admitted: Candidate[] = [];
  for (const candidate of candidates) {
    if (left <= 0) break;
    const { key, rateKey } = candidate;
    const places = key === null ? 0 : (heldByKey.get(key) ?? candidate.heldByKey);
    const starts = startedByKey.get(rateKey) ?? candidate.startedByKey;
    if (key !== null && perKey !== null && places >= perKey) continue;
    if (rate !== null && starts >= rate.limit) continue;
    if (key !== null) heldByKey.set(key, places + 1);
    startedByKey.set(rateKey, starts + 1);
    admitted.push(candidate);
    left--;
  }
  return admitted;
}
