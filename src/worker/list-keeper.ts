/**
 * Advances lists of children: counts what has become of them, begins the next ones, asks them to go back, and wakes their parents. What is
 * to be done is decided by `moveOf`, a pure function. Several launchers advance the same list: its revision says whether another one
 * was faster, and then it is read again.
 *
 * Nothing depends on being told: news of a list stays there until it is counted.
 */
import { sleep, type Clock } from "../clock.js";
import { isRetryable } from "../errors.js";
import { chosen, counted, moveOf, needOf, slice, tallyOf, type Move, type Need } from "../execution/children.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import type { RollbackRequest } from "../execution/mail.js";
import type { OpenedList } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { requestTo, toldOf } from "../session/mailbox-entry.js";
import type { Places } from "../session/client-host.js";
import { newRecord, type Arrival, type CreateResult, type NewExecution } from "../stores/batch.js";
import type { Store } from "../stores/contract.js";
import type { LineRecord, ListRecord, ListStore } from "../stores/lists.js";
import {
  beginning,
  fitting,
  isTaken,
  justOpened,
  knownAfter,
  nothing,
  partOf,
  planOf,
  positionsOf,
  toBeRead,
  type Answers,
  type Found,
  type Known,
  type Lines,
  type Plan,
} from "./list-plans.js";
import { Polling } from "./polling.js";

/** So many lists are looked for at once. */
const mostLists = 64;

/** Who was slower than another launcher looks again after up to so many milliseconds. */
const longestRetreat = 20;

/** For messages. */
const advancing = "advance lists of children";

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
  /** Of which it was heard that there is something to do, with what need not be read of them. */
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

  /** There is news of this list, or more to do. @param opened it was opened here */
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
      this.#host.storeFailed(advancing, error);
      return false;
    }
    if (this.#moved.size > 0) this.#polling.soon();
    return isIdle;
  }

  /** Those of which it was heard; at intervals, and where it was heard of none, all that want something. */
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
      this.#refused(list?.id ?? "", error);
      return undefined;
    }
  }

  #refused(list: string, error: unknown): void {
    this.#host.storeFailed(`advance the list "${list}" of children`, error);
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

  /** @param isSecond the part before it is not answered yet */
  async #advance(plans: readonly Plan[], isSecond = false): Promise<void> {
    try {
      return await this.#advanceTogether(plans, isSecond);
    } catch (error) {
      if (isRetryable(error)) throw error;
      if (plans.length === 1) return this.#refused(plans[0]!.list, error);
    }
    // What is wrong with one of them concerns that one alone.
    for (const plan of plans) await this.#advance([plan], isSecond);
  }

  /**
   * What is next is put together while the store creates this, and created beside it, before anything here is worked on. What comes after
   * that is created while these two are worked on: so the parts of a long list do not crowd out all else.
   */
  async #advanceTogether(plans: readonly Plan[], isSecond: boolean): Promise<void> {
    for (const { begins } of plans) for (const create of begins) create.owner = this.#placeFor(create);
    const asked = this.#ask(plans);
    const next = await this.#nextOf(plans, asked);
    let following = isSecond ? [] : this.#ifUndisturbed(next);
    let going = this.#goOn(following, true);
    let answers: Answers = [];
    try {
      answers = await asked;
      if (isSecond) {
        following = this.#ifUndisturbed(next.filter((_, index) => isTaken(answers[index])));
        going = this.#goOn(following, false);
      }
    } catch (error) {
      this.#beginAll(plans, answers);
      await going;
      throw error;
    }
    this.#beginAll(plans, answers);
    this.#note(plans, answers, new Set(following.map(({ list }) => list)));
    // Another launcher was faster: not both at once again. What was not read may just be older than what is known here.
    const isLate = plans.some(({ isRead }, index) => isRead && (answers[index] ?? null) === null);
    await Promise.all([going, isLate ? sleep(this.#clock, this.#clock.random() * longestRetreat) : undefined]);
  }

  async #ask(plans: readonly Plan[]): Promise<Answers> {
    return this.#lists.advance(plans);
  }

  /** For each, what is next as far as that is known. It takes a while to put that together: what is under way goes first. */
  async #nextOf(plans: readonly Plan[], asked: Promise<Answers>): Promise<readonly (Plan | undefined)[]> {
    if (!plans.some(({ hasMore }) => hasMore)) return [];
    // Who calls awaits it after this.
    asked.catch(() => undefined);
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    return plans.map((plan) => (plan.hasMore ? this.#foreseen(knownAfter(plan)) : undefined));
  }

  /** Resolves when it has gone as far as it can. What is left out then is found by looking. */
  async #goOn(plans: readonly Plan[], isSecond: boolean): Promise<void> {
    if (plans.length === 0) return;
    try {
      await this.#advance(plans, isSecond);
    } catch (error) {
      this.#host.storeFailed(advancing, error);
    }
  }

  #beginAll(plans: readonly Plan[], answers: Answers): void {
    for (const [index, { begins }] of plans.entries())
      for (const [place, create] of begins.entries()) this.#begin(create, answers[index]?.[place]);
  }

  /** What is to be looked at again. @param goingOn lists that are not left alone meanwhile */
  #note(plans: readonly Plan[], answers: Answers, goingOn: ReadonlySet<string>): void {
    for (const [index, plan] of plans.entries()) {
      const known = knownAfter(plan);
      // What was heard of it meanwhile is to be read, and not forgotten.
      const isStale = !isTaken(answers[index]) || this.#moved.has(plan.list);
      if (isStale) this.#moved.set(plan.list, toBeRead(known));
      else if (plan.hasMore && !goingOn.has(plan.list)) this.#moved.set(plan.list, known);
    }
  }

  /** None where something was heard of a list, or it is time to look for those that nobody tells of. */
  #ifUndisturbed(next: readonly (Plan | undefined)[]): readonly Plan[] {
    return this.#moved.size > 0 || this.#isTimeToSeek() ? [] : next.filter((plan) => plan !== undefined);
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
