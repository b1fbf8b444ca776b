/** What is to be done with a list of children, and what is known of one without reading. */
import { slice, type Move, type Need } from "../execution/children.js";
import type { StagedLine } from "../execution/records.js";
import { createdOf, type NewChild } from "../runtime/child-launches.js";
import type { OpenedList } from "../session/host.js";
import type { Arrival, CreateResult } from "../stores/batch.js";
import type { Advance, LineRecord, ListRecord, ListStore, NewsRecord } from "../stores/lists.js";

export type Lines = readonly StagedLine[];

/** What a launcher knows of a list without reading. */
export interface Known {
  /** Undefined: there is news, or another one has advanced it. */
  readonly list: ListRecord | undefined;
  readonly lines: Lines;
}

export interface Plan extends Advance {
  readonly begins: readonly NewChild[];
  /** The list before. */
  readonly from: ListRecord;
  /** It was read for this, rather than foreseen. */
  readonly isRead: boolean;
  /** There may be more to do. */
  readonly hasMore: boolean;
  readonly known: Lines | undefined;
}

export type Answers = Awaited<ReturnType<ListStore["advance"]>>;

export function justOpened(id: string, { of, data, lines }: OpenedList): Known {
  return { list: { id, of, data, status: "open", revision: 1, isMarked: true }, lines };
}

export function toBeRead(known: Known | undefined): Known | undefined {
  return known && { ...known, list: undefined };
}

/** It was done as it was planned. */
export function isTaken(answer: readonly CreateResult[] | null | undefined): boolean {
  return answer?.every(({ created }) => created) === true;
}

/** What is known of a list after this was done with it. */
export function knownAfter({ from, revision, data, isMarked, known }: Plan): Known {
  return { list: { ...from, revision: revision + 1, data, isMarked }, lines: known ?? [] };
}

export function planOf(
  from: ListRecord,
  { tally, asks, isMarked }: Move,
  {
    news,
    arrivals = [],
    launches,
    known,
  }: {
    readonly news?: readonly NewsRecord[];
    readonly arrivals?: readonly Arrival[];
    readonly launches: Lines;
    readonly known: Lines | undefined;
  },
): Plan {
  const { id, revision } = from;
  return {
    list: id,
    revision,
    data: JSON.stringify(tally),
    isMarked,
    counts: news?.map((it) => it.id) ?? [],
    begins: createdOf(launches, id, tally),
    asks,
    arrivals,
    frees: [],
    from,
    isRead: news !== undefined,
    hasMore: isMarked || (news?.flatMap(({ positions }) => positions).length ?? 0) >= slice,
    known,
  };
}

export interface Found {
  readonly launches: Lines;
  readonly lines: readonly LineRecord[];
  readonly positions: readonly number[];
}

export const nothing: Found = { launches: [], lines: [], positions: [] };

export function beginning(launches: Lines): Found {
  return { launches, lines: [], positions: positionsOf(launches) };
}

export function positionsOf(lines: Lines): number[] {
  return lines.map(({ position }) => position);
}

/** Undefined: others are needed. */
export function fitting(ahead: Lines, need: Need): Found | undefined {
  return need.act === "begin" && ahead.length >= need.limit ? beginning(ahead.slice(0, need.limit)) : undefined;
}

/** Undefined: some of those that begin are not among them. */
export function partOf(known: Lines, { from, limit }: Extract<Need, { act: "begin" }>): Lines | undefined {
  const first = from - (known[0]?.position ?? Infinity);
  const part = first < 0 ? [] : known.slice(first, first + limit);
  return part.length === limit ? part : undefined;
}
