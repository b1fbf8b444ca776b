/** What is asked of executions, by a client or by a step: the options, and the answers. */
import type { AnyWorkflow, InputOf, StatePatch, StepsOf } from "./bag.js";
import type { Duration } from "./duration.js";
import type { Frozen } from "./frozen.js";

/**
 * A transaction of the caller's on the store's database: a client of `pg` or a connection of SQLite that is in one, or the
 * transaction object of Drizzle (node-postgres) or Kysely (`PostgresDialect`). A pool is none.
 */
export type CallerTransaction =
  | { query(...given: never[]): unknown; readonly totalCount?: never }
  | { readonly _: { readonly session: object }; rollback(): unknown }
  | { readonly isTransaction: true; getExecutor(): object }
  | { exec(sql: string): unknown; prepare(sql: string): object };

export interface LaunchOptions<W extends AnyWorkflow = AnyWorkflow> {
  /**
   * Makes the launch idempotent: a second launch with the same id, workflow and input is the same
   * execution. 1 to 255 characters. Default: a new UUID (version 7).
   */
  readonly id?: string;
  /** For `list`. At most 32, each of 1 to 128 characters. */
  readonly tags?: readonly string[];
  /** Begin after this time. The workflow's deadline counts from there. */
  readonly delay?: Duration;
  /** Begin at this time; in the past: at once. */
  readonly at?: Date;
  /**
   * Among the launches that wait for the workflow's limits, higher goes first: a whole number from 0 to 1000000.
   * Each step is worth a minute of waiting, so that nothing waits for ever. Its children wait with it too. Only for a workflow that
   * has limits, or children whose workflows have some. Default: 0.
   */
  readonly priority?: number;
  /**
   * Start directly in rollback: undo from this step, as if a run had come that far with this state. The
   * reason becomes the execution's: a text of one line, and neither `normal` nor `ok`. Refused: a step after the pivot,
   * and an id that exists, unless it was launched so from the same step.
   */
  readonly rollback?: {
    readonly from: StepsOf<W>;
    readonly reason: string;
    readonly state?: StatePatch<W>;
    /** Steps of children that are passed over: a launch in rollback has begun none, so it has none to undo. */
    readonly without?: readonly StepsOf<W>[];
  };
  /**
   * A transaction of your own on the store's database, as the connection that has it: what is stored commits
   * with it, or not at all. It is taken up after your commit, by polling at the latest.
   */
  readonly tx?: CallerTransaction;
}

export interface MessageOptions {
  /**
   * The sender's own id, such as a webhook's event id: the same id twice is one message. Up to 1000 characters, and 1800 bytes
   * of UTF-8.
   */
  readonly messageId?: string;
  /**
   * A transaction of your own on the store's database, as the connection that has it: the message is stored when the transaction
   * commits, or not at all. A launcher takes the message up after your commit, by polling at the latest.
   */
  readonly tx?: CallerTransaction;
}

export interface Sent {
  readonly id: string;
  /** This `messageId` had been sent before; nothing was stored. */
  readonly duplicate: boolean;
}

export interface PublishOptions {
  /**
   * The publisher's own id, such as a webhook's event id: the same id twice is one message, for each subscriber.
   * Up to 1000 characters, and 1800 bytes of UTF-8.
   */
  readonly messageId?: string;
  /** For how long the message is kept for steps that subscribe later; 0: not at all. Default: the launcher's `keepPublications`. */
  readonly keepFor?: Duration;
  /**
   * A transaction of your own on the store's database, as the connection that has it: the message is published when the transaction
   * commits, or not at all. In PostgreSQL its isolation level must be `read committed`.
   */
  readonly tx?: CallerTransaction;
}

export interface Published {
  /** The `messageId`, or an id that was made. */
  readonly id: string;
  /** This `messageId` had been published to the topic before, and is still kept; nothing was stored. */
  readonly duplicate: boolean;
  /** How many executions were subscribed when the message was stored. */
  readonly delivered: number;
}

/**
 * What a step function asks of other executions. Each call has an id of its own, made from the function's idempotency key: what a later
 * attempt of the function asks for again, also after a crash, is not done twice.
 *
 * The ids of a function's calls differ by workflow, by message name and receiver, and among those that are alike by their order. Where
 * that order may be another one in the next attempt, give ids of your own.
 *
 * What was asked for is known again for as long as it is kept: an execution until it is pruned, a message with its receiver, a publication for
 * its `keepFor`.
 *
 * A call waits for a store that is away. One that the function has not waited for is waited for before what the function gives back is
 * stored.
 */
export interface StepClient {
  /**
   * Launches an execution, which goes its own way: it is not undone with this one, and nobody waits for it. For work that belongs to this
   * execution use steps of children.
   *
   * @param workflow one that this launcher has
   * @throws (rejects) as the launcher's `launch`; STEPWELL_LAUNCH_CONFLICT where an earlier attempt has launched it with another input;
   * STEPWELL_CLIENT_TOO_LATE, STEPWELL_OWNERSHIP_LOST
   * @example
   * run: async ({ state, client }) => ({ invoice: (await client.launch(sendInvoice, { order: state.order })).id }),
   */
  launch<W extends AnyWorkflow>(
    workflow: W,
    input: InputOf<W> | Frozen<InputOf<W>>,
    options?: LaunchOptions<W>,
  ): Promise<{ readonly id: string }>;
  /**
   * Sends a message to an execution.
   *
   * @throws (rejects) as the launcher's `send`; STEPWELL_CLIENT_TOO_LATE, STEPWELL_OWNERSHIP_LOST
   * @example
   * run: async ({ state, client }) => {
   *   await client.send(state.invoice, "paid", { cents: state.cents });
   * },
   */
  send(id: string, name: string, payload: unknown, options?: MessageOptions): Promise<Sent>;
  /**
   * Publishes a message to a topic.
   *
   * @throws (rejects) as the launcher's `publish`; STEPWELL_CLIENT_TOO_LATE, STEPWELL_OWNERSHIP_LOST
   */
  publish(topic: string, name: string, payload: unknown, options?: PublishOptions): Promise<Published>;
}
