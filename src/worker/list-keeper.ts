/**
 * Advances lists of children: counts what has become of them, begins the next ones, asks them to go back, and wakes their parents. What is
 * to be done is decided by `moveOf`, a pure function. Several launchers advance the same list: its revision says whether another one
 * was faster, and then it is read again.
 *
 * Nothing depends on being told: news of a list stays there until it is counted.
 */
import { sleep, type Clock } from "../clock.js";
import { isRetryable, StepwellError } from "../errors.js";
import { chosen, counted, moveOf, needOf, slice, tallyOf, type Move, type Need } from "../execution/children.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import type { RollbackRequest } from "../execution/mail.js";
import type { StagedLine } from "../execution/records.js";
import { createdOf, type NewChild } from "../runtime/child-launches.js";
import type { OpenedList } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { isUndecodable } from "../session/damaged-rows.js";
import { requestTo, toldOf } from "../session/mailbox-entry.js";
import type { Places } from "../session/client-host.js";
import { newRecord, type Arrival, type CreateResult, type NewExecution } from "../stores/batch.js";
import type { Store } from "../stores/contract.js";
import type { Advance, LineRecord, ListRecord, ListStore, NewsRecord } from "../stores/lists.js";
import { Polling } from "./polling.js";

/** The most lists that are looked for at once. */
const mostLists = 64;

/** A launcher that was slower than another one looks again after up to so many milliseconds. */
const longestRetreat = 20;

export interface ListKeeperHost {
  readonly places: Places;
  readonly store: Pick<Store, "load">;
  readonly sizeLimit: number;
  registeredAs(name: string, version: string): Registered | undefined;
  storeNowAtMost(): number;
  storeFailed(doing: string, error: unknown): void;
}

export class ListKeeper {
  readonly #lists: ListStore;
  readonly #clock: Clock;
  readonly #host: ListKeeperHost;
  readonly #interval: number;
  readonly #polling: Polling;
  /** The lists of which it was heard that there is something to do, with what need not be read of them. */
  #moved = new Map<string, Known | undefined>();
  #looking: Promise<boolean> = Promise.resolve(true);
  /** When all lists were asked for last, by the clock's `monotonic`. */
  #soughtAt = -Infinity;

  constructor(lists: ListStore, clock: Clock, interval: number, host: ListKeeperHost) {
    this.#lists = lists;
    this.#clock = clock;
    this.#host = host;
    this.#interval = interval;
    this.#polling = new Polling(clock, interval, {
      look: () => (this.#looking = this.#look()),
      looked: () => undefined,
    });
  }

  begin(): void {
    this.#polling.begin();
    this.#polling.soon();
  }

  /** Resolves when nothing is asked of the store any more. */
  async end(): Promise<void> {
    this.#polling.end();
    await this.#looking;
  }

  /** A list has news, or more to do. @param opened the list, if it was opened here */
  moved(list: string, opened?: OpenedList): void {
    this.#moved.set(list, opened === undefined ? toBeRead(this.#moved.get(list)) : justOpened(list, opened));
    this.#polling.soon();
  }

  /** True: nothing was to be done. */
  async #look(): Promise<boolean> {
    let isIdle = true;
    try {
      const heard = this.#moved;
      this.#moved = new Map();
      const plans = await this.#planned(await this.#wanting([...heard.keys()]), heard);
      if (plans.length > 0) {
        isIdle = false;
        await this.#advance(plans);
      }
    } catch (error) {
      this.#host.storeFailed("advance lists of children", error);
      return false;
    }
    if (this.#moved.size > 0) this.#polling.soon();
    return isIdle;
  }

  /** The lists of which it was heard; at intervals, and where it was heard of none, all that have something to do. */
  async #wanting(heard: readonly string[]): Promise<readonly string[]> {
    if (heard.length > 0 && !this.#isTimeToSeek()) return heard;
    this.#soughtAt = this.#clock.monotonic();
    return [...new Set([...heard, ...(await this.#lists.due(mostLists))])];
  }

  #isTimeToSeek(): boolean {
    return this.#clock.monotonic() - this.#soughtAt >= this.#interval;
  }

  /** What is to be done with these lists; of those that are known well enough without reading. */
  async #planned(ids: readonly string[], heard: ReadonlyMap<string, Known | undefined>): Promise<readonly Plan[]> {
    const foreseen = new Map(ids.map((id) => [id, this.#foreseen(heard.get(id))]));
    const unread = ids.filter((id) => foreseen.get(id) === undefined);
    const records = unread.length === 0 ? [] : await this.#lists.find(unread);
    const read = await Promise.all(
      records.map((record) => this.#safelyPlanned(record, heard.get(record?.id ?? "")?.lines)),
    );
    return [...foreseen.values(), ...read].filter((plan) => plan !== undefined);
  }

  /** The next lines begin, as far as these are known here. Undefined: it has to be read what is to be done. */
  #foreseen(known: Known | undefined): Plan | undefined {
    if (known?.list === undefined) return undefined;
    const { list, lines } = known;
    const tally = tallyOf(list);
    const need = needOf(list.status === "closed", tally);
    const next = need?.act === "begin" ? partOf(lines, need) : undefined;
    if (next === undefined) return undefined;
    return planOf(list, moveOf(false, tally, need, positionsOf(next)), { launches: next, known: lines });
  }

  /** What can't be read of a list concerns that list alone: the others go on. */
  async #safelyPlanned(list: ListRecord | undefined, known: Lines | undefined): Promise<Plan | undefined> {
    try {
      return await this.#plan(list, known);
    } catch (error) {
      if (isRetryable(error)) throw error;
      if (isUndecodable(error) && error.execution === list?.of) return this.#tellOfDamage(list!);
      this.#refused(list?.id ?? "", error);
      return undefined;
    }
  }

  /** Nobody knows where the list stands, and its parent waits for it: that one looks too, and is parked. */
  async #tellOfDamage({ id, of, revision, data, isMarked }: ListRecord): Promise<undefined> {
    const [parent] = await this.#host.store.load([of], "listed");
    if (parent?.status !== "waiting") return;
    const unchanged = { list: id, revision, data, isMarked, counts: [], begins: [], asks: [], frees: [] };
    await this.#lists.advance([{ ...unchanged, arrivals: [toldOf(of)] }]);
  }

  #refused(list: string, error: unknown): void {
    const message = `The list "${list}" of children can't be advanced: `;
    const named =
      error instanceof StepwellError ? new StepwellError(error.code, message + error.message, { cause: error }) : error;
    this.#host.storeFailed(`advance the list "${list}" of children`, named);
  }

  /** One bounded part of what is to be done with a list. Undefined: there is nothing. */
  async #plan(list: ListRecord | undefined, known: Lines | undefined): Promise<Plan | undefined> {
    if (list === undefined || list.status === "staged") return undefined;
    const { id } = list;
    const isClosed = list.status === "closed";
    const before = tallyOf(list);
    const [news, ahead] = await Promise.all([
      this.#lists.news(id, slice),
      this.#readAhead(id, needOf(isClosed, before), known),
    ]);
    const tally = counted(before, news);
    const need = needOf(isClosed, tally);
    const found = need === null ? nothing : (fitting(ahead, need) ?? (await this.#read(id, need)));
    const move = moveOf(isClosed, tally, need, found.positions);
    if (news.length === 0 && need === null && !move.tells && !list.isMarked) return undefined;
    const arrivals = await this.#arrivals(list, move, found.lines);
    return planOf(list, move, { news, arrivals, launches: found.launches, known });
  }

  async #advance(plans: readonly Plan[]): Promise<void> {
    try {
      return await this.#advanceTogether(plans);
    } catch (error) {
      if (isRetryable(error)) throw error;
      if (plans.length === 1) return this.#refused(plans[0]!.list, error);
    }
    // What is wrong with one of them concerns that one alone.
    for (const plan of plans) await this.#advance([plan]);
  }

  async #advanceTogether(plans: readonly Plan[]): Promise<void> {
    for (const { begins } of plans) for (const create of begins) create.owner = this.#placeFor(create);
    let answers: Answers = [];
    let following: readonly Plan[] = [];
    let going: Promise<void> | undefined;
    try {
      const asked = this.#lists.advance(plans);
      // What is next is put together while the store creates this, and created while this is worked on.
      const next = plans.map((plan) => (plan.hasMore ? this.#foreseen(knownAfter(plan)) : undefined));
      answers = await asked;
      if (this.#isUndisturbed) following = next.flatMap((plan, index) => (plan && isTaken(answers[index]) ? plan : []));
      if (following.length > 0) {
        going = this.#advance(following);
        // It is on its way before these begin, which keeps the process busy. Where it fails, that is heard of below.
        await Promise.race([going.catch(() => undefined), new Promise<void>((sent) => this.#clock.soon(sent))]);
      }
    } finally {
      for (const [index, { begins }] of plans.entries())
        for (const [place, create] of begins.entries()) this.#begin(create, answers[index]?.[place]);
    }
    const goingOn = new Set(following.map(({ list }) => list));
    for (const [index, plan] of plans.entries()) {
      const known = knownAfter(plan);
      // What was heard of it meanwhile is to be read, and not forgotten.
      const isStale = !isTaken(answers[index]) || this.#moved.has(plan.list);
      if (isStale) this.#moved.set(plan.list, toBeRead(known));
      else if (plan.hasMore && !goingOn.has(plan.list)) this.#moved.set(plan.list, known);
    }
    // Another launcher was faster: not both at once again. What was not read may just be older than what is known here.
    const isLate = plans.some(({ isRead }, index) => isRead && (answers[index] ?? null) === null);
    await Promise.all([going, isLate ? sleep(this.#clock, this.#clock.random() * longestRetreat) : undefined]);
  }

  /** Nothing was heard of any list, and it is not time to look for those that nobody tells of. */
  get #isUndisturbed(): boolean {
    return this.#moved.size === 0 && !this.#isTimeToSeek();
  }

  /** Owned by this launcher from the start, if there is room for it. */
  #placeFor({ workflow, version, queue }: NewExecution): number | null {
    const isKnown = this.#host.registeredAs(workflow, version) !== undefined;
    return isKnown && queue === undefined ? this.#host.places.reserve() : null;
  }

  #begin(create: NewExecution, answer: CreateResult | undefined): void {
    if (create.owner === null) return;
    if (answer?.created !== true || !answer.owned) return this.#host.places.giveUp();
    const registered = this.#host.registeredAs(create.workflow, create.version)!;
    const record = newRecord(create, create.owner, this.#host.storeNowAtMost());
    this.#host.places.take(record, create.state.value as object, registered);
  }

  /** What begins next stands there already; what has become of others says only how many begin. */
  async #readAhead(list: string, need: Need | null, known: Lines | undefined): Promise<Lines> {
    if (need?.act !== "begin") return [];
    return (known && partOf(known, need)) ?? this.#lists.launches(list, need.from, need.limit);
  }

  async #read(list: string, need: Need): Promise<Found> {
    if (need.act === "begin") return beginning(await this.#lists.launches(list, need.from, need.limit));
    const lines = await this.#lists.lines(list, need.from, need.span);
    return { launches: [], lines, positions: chosen(need, lines) };
  }

  async #arrivals(
    { id, of }: ListRecord,
    { asks, tells, tally }: Move,
    lines: readonly LineRecord[],
  ): Promise<Arrival[]> {
    const arrivals: Arrival[] = tells ? [toldOf(of)] : [];
    if (asks.length === 0) return arrivals;
    const [parent] = await this.#host.store.load([of], "listed");
    const isDown = parent?.position.direction === "down";
    const request: RollbackRequest = {
      reason: isDown ? parent.position.reason : "recovering",
      ifCompleted: "undo",
      isParents: true,
      ...(parent?.position.request !== undefined && { asked: parent.position.request }),
    };
    for (const position of asks) {
      const { execution } = lines[position - lines[0]!.position]!;
      const row = requestTo(execution, "rollback", request, {
        method: "rollback",
        sizeLimit: this.#host.sizeLimit,
        // What completes before it is asked is kept: only those under way go back.
        acceptedIn: tally.keeps ? underWay : askable,
        wakes: askable,
      });
      arrivals.push({ ...row, messageId: `${id}#${position}` });
    }
    return arrivals;
  }
}

type Lines = readonly StagedLine[];

/** What a launcher knows of a list without reading. */
interface Known {
  /** Undefined: there is news, or another one has advanced it. */
  readonly list: ListRecord | undefined;
  readonly lines: Lines;
}

interface Plan extends Advance {
  readonly begins: readonly NewChild[];
  /** The list before. */
  readonly from: ListRecord;
  /** The list was read for this plan, rather than foreseen. */
  readonly isRead: boolean;
  /** There may be more to do. */
  readonly hasMore: boolean;
  readonly known: Lines | undefined;
}

type Answers = Awaited<ReturnType<ListStore["advance"]>>;

function justOpened(id: string, { of, data, lines }: OpenedList): Known {
  return { list: { id, of, data, status: "open", revision: 1, isMarked: true }, lines };
}

function toBeRead(known: Known | undefined): Known | undefined {
  return known && { ...known, list: undefined };
}

/** Whether the list was advanced as planned. */
function isTaken(answer: readonly CreateResult[] | null | undefined): boolean {
  return answer?.every(({ created }) => created) === true;
}

/** What is known of a list after this was done with it. */
function knownAfter({ from, revision, data, isMarked, known }: Plan): Known {
  return { list: { ...from, revision: revision + 1, data, isMarked }, lines: known ?? [] };
}

function planOf(
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

interface Found {
  readonly launches: Lines;
  readonly lines: readonly LineRecord[];
  readonly positions: readonly number[];
}

const nothing: Found = { launches: [], lines: [], positions: [] };

function beginning(launches: Lines): Found {
  return { launches, lines: [], positions: positionsOf(launches) };
}

function positionsOf(lines: Lines): number[] {
  return lines.map(({ position }) => position);
}

/** Undefined: others are needed. */
function fitting(ahead: Lines, need: Need): Found | undefined {
  return need.act === "begin" && ahead.length >= need.limit ? beginning(ahead.slice(0, need.limit)) : undefined;
}

/** Undefined: some of those that begin are not among them. */
function partOf(known: Lines, { from, limit }: Extract<Need, { act: "begin" }>): Lines | undefined {
  const first = from - (known[0]?.position ?? Infinity);
  const part = first < 0 ? [] : known.slice(first, first + limit);
  return part.length === limit ? part : undefined;
}

const underWay = ["scheduled", "running", "waiting", "stuck"] as const;

const askable = [...underWay, "completed"] as const;

/** Whether executions of these workflows may have children, also from an older version that they migrate from. */
export function hasChildren(registry: ReadonlyMap<string, Registered>): boolean {
  return [...registry.values()].some(({ definition }) => mayHaveChildren(definition));
}

function mayHaveChildren({ steps, migrations }: WorkflowDefinition): boolean {
  const isOfChildren = steps.some(({ children }) => children !== undefined);
  return isOfChildren || migrations.some(({ older }) => older === undefined || mayHaveChildren(older));
}
