/**
 * What is remembered of calls whose answer was lost. The connection broke, or the server died, after
 * something had been sent: nobody knows whether it was committed. The engine asks again with the same
 * rows, the very same objects, and must be told the truth:
 *
 * - A **create** carries a ticket, a number that no other call has. A row with this ticket is the one that
 *   the first try made.
 * - A **transition** is in the history with its owner: the first try wrote it. Nobody else can have: its
 *   owner makes one transition of a revision only.
 * - A **release** can't be told from one that was never made once the row is somebody else's; but it is let
 *   go of in both cases. So that the row is not its own again meanwhile, nothing is claimed until it is asked again.
 * - An **arrival** is in the mailbox under its own id: that is always looked for.
 * - A **claim** marks what it takes up with a ticket. Those rows are given out by the next one.
 *
 * A create that the engine gives up, since its caller has waited for long enough, is given out by a claim too.
 */
import { systemClock } from "../../clock.js";
import type { Batch, NewExecution, Release } from "../batch.js";
import type { Transition } from "../../execution/records.js";

/** After this time nothing that was sent can still be on its way, in milliseconds. */
const over = 180_000;

interface Lost {
  readonly owner: number;
  readonly ticket: number;
  readonly since: number;
}

export class InDoubt {
  /** Begins anywhere, so that two processes hardly ever draw the same; and only rows of one id or owner are compared. */
  #ticket = Math.floor(systemClock.random() * 2 ** 52);
  readonly #creates = new Map<NewExecution, Lost>();
  readonly #releases = new Map<Release, number>();
  readonly #transitions = new WeakSet<Transition>();
  #claims: Lost[] = [];

  newTicket(): number {
    return ++this.#ticket;
  }

  /** The one of the first try. */
  ticketOf(create: NewExecution): number {
    const lost = this.#creates.size === 0 ? undefined : this.#creates.get(create);
    return lost?.ticket ?? this.newTicket();
  }

  isTransition(transition: Transition): boolean {
    return this.#transitions.has(transition);
  }

  isRelease(release: Release): boolean {
    return this.#releases.has(release);
  }

  lostWrite(batch: Batch, tickets: readonly number[]): void {
    const since = systemClock.monotonic();
    for (const [index, create] of batch.creates.entries()) {
      if (create.owner === null || this.#creates.has(create)) continue;
      this.#creates.set(create, { owner: create.owner, ticket: tickets[index]!, since });
    }
    for (const transition of batch.transitions) this.#transitions.add(transition);
    for (const release of batch.releases) this.#releases.set(release, since);
  }

  answered(batch: Batch): void {
    if (this.#creates.size > 0) for (const create of batch.creates) this.#creates.delete(create);
    if (this.#releases.size > 0) for (const release of batch.releases) this.#releases.delete(release);
  }

  /** It is given out as what a lost claim took. */
  abandon(create: NewExecution): void {
    const lost = this.#creates.get(create);
    if (lost === undefined) return;
    this.#creates.delete(create);
    this.lostClaim(lost.owner, lost.ticket);
  }

  lostClaim(owner: number, ticket: number): void {
    this.#claims.push({ owner, ticket, since: systemClock.monotonic() });
  }

  /** Whether a release is being asked again. */
  get holdsClaims(): boolean {
    if (this.#releases.size === 0) return false;
    const now = systemClock.monotonic();
    for (const [release, since] of this.#releases) if (now - since > over) this.#releases.delete(release);
    return this.#releases.size > 0;
  }

  /** Tickets of rows that may be this owner's without its knowing. They are asked for until nothing can come any more. */
  strandedOf(owner: number): readonly number[] {
    if (this.#claims.length === 0 && this.#creates.size === 0) return [];
    const now = systemClock.monotonic();
    for (const [create, { since }] of this.#creates) if (now - since > over) this.#creates.delete(create);
    this.#claims = this.#claims.filter(({ since }) => now - since < over);
    return this.#claims.flatMap((it) => (it.owner === owner ? it.ticket : []));
  }
}
