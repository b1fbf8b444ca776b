/**
 * Reads of a mailbox what its execution may want next, however much lies there: all requests, and the few oldest messages
 * of the names that its step waits for.
 */
import type { ExecutionRecord, MailboxRecord } from "../execution/records.js";
import type { MaybePromise, Store } from "../stores/contract.js";
import type { PendingMail } from "../session/host.js";
import { andThen } from "../session/maybe-promise.js";

/** A mailbox with no more messages than this is read as a whole; of a larger one, so many of a name. */
const few = 16;

/**
 * @param names what the execution's step waits for
 * @param dead how many of the messages will be dead with the next commit, and are in the way
 */
export function readInbox(
  store: Pick<Store, "load" | "mail">,
  id: string,
  names: readonly string[],
  dead: number,
): MaybePromise<PendingMail> {
  const limit = few + dead;
  // The number first: what arrives in between is then seen as unseen, not the other way round.
  return andThen(store.load([id], "standing"), ([standing]) => {
    const signals = standing?.signals ?? 0;
    return andThen(store.mail({ executions: [id], status: "pending", limit: limit + 1 }), (pending) => {
      if (isWhole(pending, limit)) return { signals, pending };
      const read = names.map((name) => store.mail({ executions: [id], status: "pending", name, limit }));
      const others = pending.filter(({ kind }) => kind !== "message");
      const found = (messages: readonly (readonly MailboxRecord[])[]): PendingMail => ({
        signals,
        pending: [...others, ...messages.flat()].toSorted((one, other) => one.sequence - other.sequence),
        names: new Map(names.map((name, index) => [name, messages[index]!.length === limit])),
      });
      return isAtOnce(read) ? found(read) : Promise.all(read.map(async (it) => it)).then(found);
    });
  });
}

/** The mail of executions that were just claimed, without those with a large mailbox: these are read one by one. */
export async function inboxesOf(
  store: Pick<Store, "mail">,
  records: readonly ExecutionRecord[],
): Promise<ReadonlyMap<string, PendingMail>> {
  const inboxes = new Map<string, PendingMail>();
  const asked = records.filter(({ signals }) => signals > 0);
  if (asked.length === 0) return inboxes;
  const ids = asked.map(({ id }) => id);
  const found = new Map<string, MailboxRecord[]>(ids.map((id) => [id, []]));
  const rows = await store.mail({ executions: ids, status: "pending", limit: few + 1 });
  for (const row of rows) found.get(row.execution)?.push(row);
  for (const { id, signals } of asked) {
    const pending = found.get(id)!;
    if (isWhole(pending, few)) inboxes.set(id, { signals, pending });
  }
  return inboxes;
}

function isWhole(pending: readonly MailboxRecord[], limit: number): boolean {
  return pending.length <= limit || pending.filter(({ kind }) => kind === "message").length <= limit;
}

function isAtOnce<T>(values: readonly MaybePromise<T>[]): values is readonly T[] {
  return !values.some((value) => value instanceof Promise);
}
