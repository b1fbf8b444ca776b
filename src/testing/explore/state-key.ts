/** All that a history still depends on, as text: two that are equal in this go on alike. */
import type { ExecutionRecord, MailboxRecord } from "../../execution/records.js";
import type { ListRecord } from "../../stores/lists.js";
import type { Store } from "../../stores/contract.js";
import type { Death } from "../../stores/records.js";

/** A number this near to the time is one, in milliseconds. */
const near = 20 * 365 * 24 * 60 * 60_000;

export function stateKey(store: Store, ids: ReadonlySet<string>, now: number, more: unknown): string | undefined {
  const all = [...ids].toSorted();
  const records = store.load(all) as readonly (ExecutionRecord | undefined)[];
  const parts = records.map(
    (record) => record && [standing(record), store.deaths(record.id) as readonly Death[]].slice(0, 2),
  );
  const deaths = parts.map((part) => part && [part[0], (part[1] as readonly Death[]).length]);
  const mail = (store.mail({ executions: all }) as readonly MailboxRecord[])
    .filter(({ status }) => status === "pending")
    .map(({ execution, kind, name, payload }) => [execution, kind, name, payload.value]);
  const lists = all
    .flatMap((id) => store.lists?.of(id) as readonly ListRecord[])
    .map(({ id, status, data }) => [id, status, data]);
  return text([deaths, mail, lists, more], now);
}

/** Without who works on it, and when it was last written. */
function standing(record: ExecutionRecord): unknown {
  const { id, version, status, position, state, deadlineAt, dueAt, subscribed, admission, owner } = record;
  return [id, version, status, position, state.value, deadlineAt, dueAt, subscribed, admission, owner === null];
}

function text(value: unknown, now: number): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === "number" && Math.abs(part - now) < near) return `now ${part - now}`;
    if (typeof part === "bigint") return `${part}n`;
    if (part instanceof Map || part instanceof Set) return [...part];
    return part;
  });
}
