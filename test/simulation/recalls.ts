/**
 * Recalls of cases. Whatever happens, each is asked once, only what had completed is, and the report counts what became of all. How many
 * go down at a time, and the canary, are held against plans without trouble: a launcher that was buried by mistake may still ask.
 */
import fc from "fast-check";
import type { ExecutionRecord, HistoryRecord, MailboxRecord } from "../../src/execution/records.js";
import type { RecallRate } from "../../src/client/recall-options.js";
import type { Arrival } from "../../src/stores/batch.js";
import type { MailFilter } from "../../src/stores/mail-filters.js";
import type { Callers } from "./callers.js";
import type { Plan } from "./plan.js";
import { tripName } from "./trips.js";

export interface RecallAct {
  readonly act: "recall";
  readonly by: number;
  readonly number: number;
  /** Null: all of the first trip. */
  readonly cases: readonly number[] | null;
  readonly canary: number;
  readonly atOnce: number;
  readonly onStuck: number;
  readonly rate: RecallRate;
  readonly order: "newest" | "oldest";
}

export interface SteerAct {
  readonly act: "steer";
  readonly by: number;
  readonly number: number;
  readonly kind: "pause" | "resume" | "stop";
}

export const recallAct: fc.Arbitrary<RecallAct> = fc.record({
  act: fc.constant("recall" as const),
  by: fc.nat(5),
  number: fc.constantFrom(0, 0, 1),
  cases: fc.option(fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 4 }), { nil: null, freq: 2 }),
  canary: fc.constantFrom(1, 0, 2),
  atOnce: fc.constantFrom(1, 2, 100),
  onStuck: fc.constantFrom(1, 3),
  rate: fc.constantFrom<RecallRate>("10/s", "1/s", "1000/s", "20/m"),
  order: fc.constantFrom("newest", "oldest"),
});

export const steerAct: fc.Arbitrary<SteerAct> = fc.record({
  act: fc.constant("steer" as const),
  by: fc.nat(5),
  number: fc.constantFrom(0, 0, 1),
  kind: fc.constantFrom("pause", "resume", "stop"),
});

export const recallSights = [
  ...(["pause", "resume", "stop"] as const).map((kind) => `a recall: ${kind}`),
  ...(["asked", "rolledBack", "stuck", "turned", "notCompleted", "refused", "left"] as const).map(
    (what) => `a recall: ${what}`,
  ),
  ...(["asked", "canary", "stuck"] as const).map((why) => `a recall: paused, ${why}`),
];

const hasRecall = (plan: Plan): boolean => plan.acts.some(({ it }) => it.act === "recall");

const idOf = (number: number): string => `recall-${number}`;
/** Of all that a plan may have. */
export const recallIds: readonly string[] = [0, 1].map(idOf);
const keyOf = (recall: string): string => `recall:${recall}`;

const troubles = new Set(["stop", "pause", "crash", "crashAt", "failAt", "outage", "deafen", "night"]);

const atRest = new Set<string>(["completed", "rolledBack", "stuck"]);

interface Known {
  readonly plan: RecallAct;
  /** What had completed when it was launched. */
  readonly completed: Set<string>;
  readonly launchedAt: number;
  readonly asked: string[];
  /** Those that it has seen stuck since its last commit: it begins with a look after each. */
  readonly seenStuck: Set<string>;
  isResumed: boolean;
  /** Somebody completed in the millisecond in which it was launched, and may be asked without having been counted. */
  isClose: boolean;
}

export class RecallWatch {
  readonly #callers: Callers;
  readonly #known = new Map<string, Known>();
  readonly #asks = new Map<string, RecallAct>();
  readonly #askedAgain = new Set<string>();
  /** Those that were deleted. Their requests stay where they are, so that another recall of that id asks nobody again. */
  readonly #forgotten = new Set<string>();
  readonly #isCalm: boolean;

  constructor(callers: Callers) {
    this.#callers = callers;
    const { acts, launchers, clients } = callers.scene.plan;
    this.#isCalm =
      acts.every(({ it }) => !troubles.has(it.act)) && [...launchers, ...clients].every(({ loses }) => loses === null);
  }

  /** Whether anything is recalled later on. */
  get isNeeded(): boolean {
    return hasRecall(this.#callers.scene.plan);
  }

  recall(act: RecallAct): void {
    const place = this.#callers.able(act.by);
    if (place === undefined) return;
    const { cases, canary, atOnce, onStuck, rate, order } = act;
    const id = idOf(act.number);
    // Of one that is asked for twice nobody knows here which was launched: the first may have failed.
    if (this.#asks.has(id)) this.#askedAgain.add(id);
    else this.#asks.set(id, act);
    const of =
      cases === null
        ? { filter: { workflow: tripName(0) }, order }
        : { ids: [...new Set(cases.map((it) => this.#callers.caseOf(it).id))] };
    const options = { id, reason: id, by: "ada", rate, atOnce, onStuck, canary: Math.min(canary, atOnce), ...of };
    const recall = (): Promise<unknown> => place.client.recall(options).then(() => undefined);
    this.#callers.call(place, `recall ${JSON.stringify(options)}`, recall, ["STEPWELL_LAUNCH_CONFLICT"]);
  }

  steer({ by, number, kind }: SteerAct): void {
    const place = this.#callers.able(by);
    if (place === undefined) return;
    const id = idOf(number);
    const known = this.#known.get(id);
    if (kind === "resume" && known !== undefined) known.isResumed = true;
    const steer = async (): Promise<void> => {
      await place.client.recalls.get(id)[kind]({ by: "ada" });
      this.#callers.scene.seen.note("sight", `a recall: ${kind}`);
    };
    const allowed = ["STEPWELL_EXECUTION_NOT_FOUND", "STEPWELL_EXECUTION_ENDED"];
    this.#callers.call(place, `steer ${kind} ${id}`, steer, allowed);
  }

  #records(): ExecutionRecord[] {
    const { store } = this.#callers.scene;
    const ids = this.#callers.cases.map(({ id }) => id);
    return (store.load(ids) as (ExecutionRecord | undefined)[]).filter((it) => it !== undefined);
  }

  /** Something is launched. */
  created(id: string): void {
    const plan = this.#asks.get(id);
    if (plan === undefined) return;
    const completed = this.#records().filter(({ status }) => status === "completed");
    this.#known.set(id, {
      plan,
      completed: new Set(completed.map((it) => it.id)),
      launchedAt: this.#callers.scene.clock.now(),
      asked: [],
      seenStuck: new Set(),
      isResumed: false,
      isClose: false,
    });
  }

  /** Something is deleted. */
  forget(id: string): void {
    if (this.#known.delete(id)) this.#forgotten.add(id);
  }

  /** Something is committed. */
  took(id: string): void {
    this.#known.get(id)?.seenStuck.clear();
  }

  /** Somebody reads mailboxes: a recall that looks how those stand that are at rest reads what became of its requests to them. */
  reads(filter: MailFilter): void {
    if (!("messageId" in filter)) return;
    const { executions, messageId } = filter;
    for (const [recall, { seenStuck }] of this.#known) {
      if (messageId !== keyOf(recall)) continue;
      for (const record of this.#callers.scene.store.load(executions) as (ExecutionRecord | undefined)[])
        if (record?.status === "stuck") seenStuck.add(record.id);
        else if (record !== undefined) seenStuck.delete(record.id);
    }
  }

  /** Something has come into a mailbox. */
  arrived({ execution, messageId }: Pick<Arrival, "execution" | "messageId">): void {
    for (const [recall, known] of this.#known) {
      if (messageId !== keyOf(recall)) continue;
      const { books, seen } = this.#callers.scene;
      const { plan, completed, launchedAt, asked, isResumed } = known;
      seen.note("sight", "a recall: asked");
      if (asked.includes(execution)) books.wrong(`${execution} is asked twice by ${recall}`);
      const [record] = this.#callers.scene.store.load([execution]) as (ExecutionRecord | undefined)[];
      // In the same millisecond.
      if (record?.status === "completed" && record.updatedAt === launchedAt) {
        completed.add(execution);
        known.isClose = true;
      }
      if (!completed.has(execution)) books.wrong(`${execution} had not completed, and is asked by ${recall}`);
      asked.push(execution);
      // By whose limits it goes is not known where it was asked for twice.
      if (!this.#isCalm || this.#askedAgain.has(recall)) continue;
      const { live, unseen, rolledBack } = this.#standingOf(recall, known);
      // Who is stuck takes no place. Where somebody helps it up, the recall knows of that at its next look.
      if (live - unseen > plan.atOnce) books.wrong(`${live} go down at once for ${recall}, and ${plan.atOnce} may`);
      const canary = Math.min(plan.canary, plan.atOnce);
      if (!isResumed && rolledBack < canary && live + rolledBack > canary)
        books.wrong(`${execution} is asked by ${recall} before its canary is rolled back`);
    }
  }

  /** Unseen: of those live, who was stuck when the recall looked last. */
  #standingOf(
    recall: string,
    { asked, seenStuck }: Known,
  ): { readonly live: number; readonly unseen: number; readonly rolledBack: number } {
    const { store } = this.#callers.scene;
    const records = store.load(asked) as (ExecutionRecord | undefined)[];
    const mail = store.mail({ executions: asked, messageId: keyOf(recall) }) as readonly MailboxRecord[];
    let [live, unseen, rolledBack] = [0, 0, 0];
    for (const record of records) {
      const request = mail.find(({ execution }) => execution === record?.id)?.status;
      if (record === undefined || request === "dead") continue;
      if (record.status === "rolledBack") rolledBack++;
      else if (!atRest.has(record.status) || request === "pending") {
        live++;
        if (seenStuck.has(record.id)) unseen++;
      }
    }
    return { live, unseen, rolledBack };
  }

  /** Whether they are over; those that pause are resumed. */
  async rests(): Promise<boolean> {
    if (!this.isNeeded) return true;
    const { store, books, seen } = this.#callers.scene;
    let isOver = true;
    for (const id of this.#known.keys()) {
      if ((store.load([id]) as unknown[])[0] === undefined) continue;
      const { quiet } = this.#callers;
      const { status, paused } = await quiet.recalls.get(id).progress();
      if (status === "done") continue;
      isOver = false;
      if (status === "stuck") books.wrong(`${id} is stuck itself`);
      if (paused === undefined) continue;
      seen.note("sight", `a recall: paused, ${paused.why}`);
      this.#known.get(id)!.isResumed = true;
      await quiet.recalls.get(id).resume({ by: "ada" });
    }
    return isOver;
  }

  async wrongAtLast(): Promise<string[]> {
    const found: string[] = [];
    for (const [id, known] of this.#known) {
      const { store } = this.#callers.scene;
      if ((store.load([id]) as unknown[])[0] === undefined) {
        if (this.#callers.isKept) found.push(`${id} is lost`);
      } else for (const what of await this.#wrongReport(id, known)) found.push(`${id} ${what}`);
    }
    return found;
  }

  async #wrongReport(id: string, { plan, asked, completed, isClose, launchedAt }: Known): Promise<string[]> {
    const { store, seen } = this.#callers.scene;
    const report = await this.#callers.quiet.recalls.get(id).progress();
    const { counted, left, underWay, rolledBack, stuck, turned, notFound, notCompleted, refused, status } = report;
    const sum = Object.values(refused).reduce((one, other) => one + other, 0);
    for (const [what, count] of Object.entries({ rolledBack, stuck, turned, notCompleted, refused: sum, left }))
      if (count > 0) seen.note("sight", `a recall: ${what}`);
    const found: string[] = [];
    const told = JSON.stringify(report);
    if (status !== "done" || underWay !== 0) found.push(`is not done: ${told}`);
    if (report.stopped === undefined && left !== 0) found.push(`has left ${left}, and nobody stopped it`);
    if (!isClose && counted !== left + rolledBack + stuck + turned + notFound + notCompleted + sum)
      found.push(`does not count all: ${told}`);
    if (this.#forgotten.has(id)) return found;
    if (report.asked !== asked.length) found.push(`has asked ${asked.join(", ")}: ${told}`);
    const hasFilter = plan.cases === null && !this.#askedAgain.has(id);
    // In the same millisecond, and refused since.
    const close = this.#records().filter((it) => it.status === "completed" && it.updatedAt === launchedAt);
    const most = completed.size + close.filter((it) => !completed.has(it.id)).length;
    if (hasFilter && counted > most) found.push(`counts what had not completed: ${told}`);
    if (rolledBack > asked.length) found.push(`counts ${rolledBack} of ${asked.length} as rolled back`);
    for (const execution of this.#callers.isKept ? asked : []) {
      const rows = store.history(execution) as readonly HistoryRecord[];
      const turns = rows.filter(({ result }) => result === id).length;
      if (turns > 1) found.push(`has turned ${execution} ${turns} times`);
    }
    const isUntouched = this.#callers.isKept && this.#callers.cases.every(({ rewound }) => rewound.length === 0);
    // Children go back with their parent, for the same reason.
    const roots = this.#records().filter(({ line }) => line === null);
    const back = roots.filter((it) => it.status === "rolledBack" && it.position.reason === id).length;
    if (isUntouched && stuck === 0 && back !== rolledBack) found.push(`has rolled ${back} back: ${told}`);
    return found;
  }
}
