/** Publishes a message to a topic: for executions that are subscribed, and for those that subscribe while the message is kept. */
import { milliseconds, type Duration } from "../definition/duration.js";
import { refuseUnknownOptions } from "../values/options.js";
import { newId } from "../ids.js";
import type { Publication, PublishResult } from "../stores/batch.js";
import { callerTransaction } from "../session/caller-transaction.js";
import { needed } from "../session/capabilities.js";
import type { CallerTransaction, Store, StoreWithin, MaybePromise } from "../stores/contract.js";
import { payloadOf } from "../session/mailbox-entry.js";
import type { ClientHost } from "../session/client-host.js";
import type { Registered } from "../session/registry.js";
import { checkMessageName } from "./messages.js";
import { checkMessageId, checkTopic } from "../session/reasons.js";
import { carriedByAll } from "../runtime/engine-events.js";
import { andThen } from "../session/maybe-promise.js";

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

export function publish(
  store: Store,
  host: ClientHost,
  registry: ReadonlyMap<string, Registered>,
  topic: string,
  name: string,
  payload: unknown,
  options: PublishOptions,
): MaybePromise<Published> {
  return andThen(host.ready("publish"), () => {
    needed(store, "topics", "publish");
    refuseUnknownOptions(options, ["messageId", "keepFor", "tx"], "publish");
    const { messageId, keepFor, tx } = options;
    const within = tx === undefined ? undefined : callerTransaction(store, tx, "publish");
    checkTopic(topic, "publish");
    checkMessageName(name, "publish");
    if (messageId !== undefined) checkMessageId(messageId, "publish: messageId");
    const keepForMs = keepFor === undefined ? host.keepPublications : milliseconds(keepFor, "publish: keepFor");
    const publication: Publication = {
      id: newId(),
      topic,
      name,
      payload: payloadOf(name, payload, host.sizeLimit),
      messageId: messageId ?? null,
      keepForMs,
      wakes: ["waiting"],
      carried: carriedByAll(topic, registry, host),
    };
    const stored = within === undefined ? host.committer.publish(publication) : publishWithin(within, publication);
    return andThen(stored, ({ result, id, delivered }) => {
      return { id: messageId ?? id, duplicate: result === "duplicate", delivered };
    });
  });
}

function publishWithin(within: StoreWithin, publication: Publication): MaybePromise<PublishResult> {
  const batch = { creates: [], transitions: [], releases: [], arrivals: [], publications: [publication] };
  return andThen(within.write(batch), ({ publications }) => publications[0]!);
}
