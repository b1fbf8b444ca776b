import type { Publication } from "../batch.js";
import { type Transition, bitsKept, type Until, untilBits } from "../../execution/records.js";

/** What the topics need of an execution. */
export interface Subscriber {
  readonly record: { readonly id: string; subscribed: number };
  /** What it is subscribed to; most executions never are. */
  topics: Map<string, Subscribed> | undefined;
}

interface Subscribed {
  readonly until: Until;
  readonly step: string;
}

interface Kept {
  readonly publication: Publication;
  readonly expiresAt: number;
  readonly delivered: number;
}

interface Topic<Row> {
  readonly subscribers: Set<Row>;
  /** By the id under which each is in the mailboxes, in the order of publication. */
  readonly kept: Map<string, Kept>;
}

export class Topics<Row extends Subscriber> {
  readonly #topics = new Map<string, Topic<Row>>();

  /** Gives back what is kept and not yet over. */
  subscribe(row: Row, name: string, subscribed: Subscribed, at: number): readonly Publication[] {
    const topic = this.#topic(name);
    row.topics ??= new Map();
    const before = row.topics.get(name);
    row.topics.set(name, before?.until === "end" ? before : subscribed);
    row.record.subscribed |= untilBits[subscribed.until];
    topic.subscribers.add(row);
    return [...topic.kept.values()].flatMap(({ publication, expiresAt }) => (expiresAt > at ? publication : []));
  }

  unsubscribe(row: Row, which: NonNullable<Transition["unsubscribes"]>): void {
    this.#end(row, ({ until }) => which === "all" || until === "step");
    row.record.subscribed &= bitsKept[which];
  }

  /** Ends what these steps have subscribed to. */
  unsubscribeSteps(row: Row, steps: readonly string[]): void {
    this.#end(row, ({ step }) => steps.includes(step));
  }

  #end(row: Row, ends: (subscribed: Subscribed) => boolean): void {
    for (const [name, subscribed] of row.topics ?? []) {
      if (!ends(subscribed)) continue;
      row.topics!.delete(name);
      const topic = this.#topics.get(name)!;
      topic.subscribers.delete(row);
      this.#forget(name, topic);
    }
  }

  /** The earlier one that it is a duplicate of, or those whom it reaches. */
  publish(it: Publication, at: number): Kept | readonly Row[] {
    const topic = this.#topic(it.topic);
    const id = idOf(it);
    const known = topic.kept.get(id);
    if (known !== undefined && known.expiresAt > at) return known;
    // One that was over is replaced, at the end of the order.
    topic.kept.delete(id);
    const { size: delivered } = topic.subscribers;
    topic.kept.set(id, { publication: it, expiresAt: at + it.keepForMs, delivered });
    return [...topic.subscribers].toSorted((one, other) => (one.record.id < other.record.id ? -1 : 1));
  }

  /** The longest over first. */
  prune(before: number, limit: number): number {
    const over = [...this.#topics].flatMap(([name, topic]) =>
      [...topic.kept].flatMap(([id, { expiresAt }]) => (expiresAt > before ? [] : { name, topic, id, expiresAt })),
    );
    over.sort((one, other) => one.expiresAt - other.expiresAt);
    const pruned = over.slice(0, limit);
    for (const { name, topic, id } of pruned) {
      topic.kept.delete(id);
      this.#forget(name, topic);
    }
    return pruned.length;
  }

  #topic(name: string): Topic<Row> {
    let topic = this.#topics.get(name);
    if (topic === undefined) this.#topics.set(name, (topic = { subscribers: new Set(), kept: new Map() }));
    return topic;
  }

  #forget(name: string, { subscribers, kept }: Topic<Row>): void {
    if (subscribers.size === 0 && kept.size === 0) this.#topics.delete(name);
  }
}

/** Under which it is in the mailboxes: each of them holds it once. */
export function idOf({ messageId, id }: Publication): string {
  return messageId ?? id;
}
