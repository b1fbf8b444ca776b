/** What a long run of simulations has to have seen, so that it can't pass by never going where it could fail. */
import { batchSights } from "./batches.js";
import { clientSights } from "./clients.js";
import { allEdges } from "./edges.js";
import { familyPairs, familySights } from "./family-sights.js";
import { letterSights } from "./letters.js";
import { limitSights } from "./limits.js";
import { publicationSights } from "./publications.js";
import { retentionSights } from "./retention.js";
import { scheduleSights } from "./schedules.js";
import { recallSights } from "./recalls.js";
import { deploymentSights } from "./migration-watch.js";
import { commitFaults, type Kind, type Seen } from "./seen.js";

/** So many histories see all of it; a shorter run demands nothing. */
export const enough = 400_000;

export interface Coverage {
  readonly edges: string;
  readonly pairs: string;
  /** By kind: what was not seen. */
  readonly missing: readonly string[];
}

/** Upon which commits each fault of a commit must have come. */
const pairedUp = ["ok", "continue", "error", "failed", "asked", "again", "begins", "passed-over", "recovered"];
const pairedDown = ["ok", "continue", "error", "failed", "again", "passed-over", "retried", "skipped", "patched"];

const pairs = [...pairedUp.map((what) => `up ${what}`), ...pairedDown.map((what) => `down ${what}`)].flatMap((what) =>
  commitFaults.map((fault) => `${what} x ${fault}`),
);

const operations = [
  "write",
  "claim",
  "load",
  "mail",
  "history",
  "beat",
  "removeLaunchers",
  "register",
  "lists.advance",
  "lists.lines",
  "lists.news",
  "limits.admit",
];

export function coverageOf({ counts }: Pick<Seen, "counts">): Coverage {
  const demanded: Partial<Record<Kind, readonly string[]>> = {
    edge: [...allEdges()],
    pair: [...pairs, ...familyPairs],
    operation: operations,
    sight: [
      ...clientSights,
      ...batchSights,
      ...letterSights,
      ...limitSights,
      ...publicationSights,
      ...retentionSights,
      ...scheduleSights,
      ...recallSights,
      ...familySights,
      ...deploymentSights,
    ],
    fault: operations.flatMap((it) =>
      ["refused", "lost", "dies-before", "dies-after"].map((fault) => `${it} ${fault}`),
    ),
  };
  const missing = Object.entries(demanded).flatMap(([kind, all]) =>
    all.filter((it) => counts[kind as Kind][it] === undefined).map((it) => `${kind} ${it}`),
  );
  const share = (kind: Kind): string => {
    const all = demanded[kind]!;
    return `${all.filter((it) => counts[kind][it] !== undefined).length}/${all.length}`;
  };
  return { edges: share("edge"), pairs: share("pair"), missing };
}
