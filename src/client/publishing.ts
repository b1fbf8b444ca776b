/** Publishes a message to a topic: for executions that are subscribed, and for those that subscribe while the message is kept. */
import type { Published, PublishOptions } from "../definition/asking.js";
import { milliseconds } from "../definition/duration.js";
import { refuseUnknownOptions } from "../values/options.js";
import { newId } from "../ids.js";
import type { Publication, PublishResult } from "../stores/batch.js";
import { callerTransaction } from "../session/caller-transaction.js";
import { needed } from "../session/capabilities.js";
import type { Store, StoreWithin, MaybePromise } from "../stores/contract.js";
import { payloadOf } from "../session/mailbox-entry.js";
import type { ClientHost } from "../session/client-host.js";
import type { Registered } from "../session/registry.js";
import { checkMessageName } from "./messages.js";
import { checkMessageId, checkTopic } from "../session/reasons.js";
import { carriedByAll } from "../runtime/engine-events.js";
import { andThen } from "../session/maybe-promise.js";

/** @param host one that is known to be ready */
export function publish(
  store: Store,
  host: ClientHost,
  registry: ReadonlyMap<string, Registered>,
  topic: string,
  name: string,
  payload: unknown,
  options: PublishOptions,
): MaybePromise<Published> {
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
}

function publishWithin(within: StoreWithin, publication: Publication): MaybePromise<PublishResult> {
  const batch = { creates: [], transitions: [], releases: [], arrivals: [], publications: [publication] };
  return andThen(within.write(batch), ({ publications }) => publications[0]!);
}
