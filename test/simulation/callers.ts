/** Those who call the launchers, and what they were told: it has to come true. */
import { encode } from "../../src/values/encode.js";
import { isRetryable, StepwellError } from "../../src/errors.js";
import { idempotencyKey, newId } from "../../src/ids.js";
import { Client, type AnyWorkflow, type Execution, type Launcher, type Outcome } from "../../src/index.js";
import type { BatchResult } from "../../src/stores/batch.js";
import type { ExecutionRecord, HistoryRecord, MailboxRecord } from "../../src/execution/records.js";
import type { Store } from "../../src/stores/contract.js";
import { roundOf } from "../../src/execution/position.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import type { Books } from "./books.js";
import { lastResend } from "./letters.js";
import { withAll } from "./deployments.js";
import { crowdOf } from "./limits.js";
import type { Line } from "./machine.js";
import { kinOf, type FamilyWatch } from "./family-checks.js";
import { firstChildId, hasGroups, isKept } from "./families.js";
import type { Act, AskedPatch, CasePlan, LastSeen, Plan, Trip } from "./plan.js";
import type { Seen } from "./seen.js";
import type { LaunchOptions } from "../../src/definition/asking.js";
import { downMessage, refusedField, sharedMessage, topic, tripName, upMessage } from "./trips.js";
import { launchedIn, legsIn, nameIn, namesIn, numberOf, plainName, versions, type Version } from "./versions.js";

/** A process that asks: a client, and what it runs on. */
export interface Place {
  readonly name: string;
  readonly line: Line;
  readonly client: Client;
  readonly workflows: readonly AnyWorkflow[];
  /** Neither stopped nor dead. */
  isUp: boolean;
  isStarted: boolean;
}

/** One that also works. */
export interface Machine extends Place {
  readonly launcher: Launcher;
  readonly version: Version;
}

export interface Case {
  readonly number: number;
  readonly id: string;
  readonly plan: CasePlan;
  readonly trip: Trip;
  /** It is started directly in rollback, from that leg; null: it is not. */
  readonly from: number | null;
  /** Acknowledged sends: their ids. */
  sent: string[];
  /** Rollback requests by their reason, as they were answered. */
  requests: {
    readonly reason: string;
    readonly accepted: boolean;
    readonly why?: string;
    readonly hasDoubts: boolean;
  }[];
  /** Rewinds that were accepted: who asked for them. */
  rewound: string[];
  /** Those that may do again what is irreversible. */
  readonly repeating: string[];
  /** Operators' acts that were accepted. */
  operated: string[];
  /** Who has asked with a patch that the input's schema refuses: nothing becomes of it. */
  readonly refused: string[];
  /** What `outcome()` gave, and whether an accepted request came before the call. */
  outcomes: { readonly outcome: Outcome; readonly requested: boolean }[];
}

export type Asked = "send" | "publish" | "rollback" | "rewind" | "operate" | "outcome" | "launch";

/** Calls that must come to an end. */
interface Call {
  readonly what: string;
  readonly place: Place;
  isOver: boolean;
}

/** What callers know of their world. */
export interface Scene {
  readonly plan: Plan;
  /** By the names of their workflows, those of children too. */
  readonly trips: ReadonlyMap<string, Trip>;
  readonly families: FamilyWatch;
  readonly store: Store;
  readonly books: Books;
  readonly seen: Seen;
  readonly clock: VirtualClock;
  readonly machines: readonly Machine[];
  /** Of clients that do not work. */
  readonly clients: readonly Place[];
}

export class Callers {
  readonly cases: readonly Case[];
  readonly scene: Scene;
  /** Meets with no faults. */
  readonly quiet: Client;
  /** Those of children, by their ids. */
  readonly #children = new Map<string, Case>();
  readonly #plan: Plan;
  readonly #store: Store;
  readonly #books: Books;
  readonly #machines: readonly Machine[];
  readonly #calls: Call[] = [];
  #requests = 0;

  constructor(scene: Scene) {
    const { plan, store, books, machines } = scene;
    this.scene = scene;
    this.quiet = new Client({ store });
    this.#plan = plan;
    this.#store = store;
    this.#books = books;
    this.#machines = machines;
    this.cases = [...plan.cases, ...crowdOf(plan.trips)].map((it, index) =>
      newCase(index, this.#idOf(index), it, withAll(plan.trips[this.tripOf(it)]!)),
    );
  }

  #idOf(index: number): string {
    const { plan } = this.scene;
    const own = `case-${index}`;
    if (index === 0 || index !== plan.cases.findIndex(({ usurps }, at) => at > 0 && usurps)) return own;
    return firstChildId("case-0", plan.trips[this.tripOf(plan.cases[0]!)]!) ?? own;
  }

  /** Calls that have not come to an end, though their process lives. */
  get open(): string[] {
    return this.#calls
      .filter(({ isOver, place }) => !isOver && place.line.clock.life !== "gone")
      .map(({ what }) => what);
  }

  /** A call of a program's. What it may be refused with is known. */
  call(place: Place, what: string, act: () => Promise<unknown>, allowed: readonly string[] = []): void {
    const call: Call = { what: `${what} by ${place.name}`, place, isOver: false };
    const isClient = !("launcher" in place);
    this.#calls.push(call);
    act().then(
      (value) => {
        call.isOver = true;
        if (isClient) this.scene.seen.note("sight", `a client's ${/^\w+/.exec(what)![0]}`);
        this.#books.note(
          () =>
            `${call.what}: ${JSON.stringify(value instanceof Object && "store" in value ? "" : value, plainly)?.slice(0, 200)}`,
        );
      },
      (error: unknown) => {
        call.isOver = true;
        const code = error instanceof StepwellError ? error.code : "";
        this.#books.note(() => `${call.what} failed: ${String(error)}`);
        if (isRetryable(error) || allowed.includes(code)) return;
        if (code === "STEPWELL_LAUNCHER_NOT_RUNNING" && !(place.isUp && place.isStarted)) return;
        if (code === "STEPWELL_CLIENT_STOPPED" && !place.isUp) return;
        // It waits for a launcher, and not for ever.
        if (code === "STEPWELL_UNDECIDED" && isClient) return;
        this.#books.wrong(`${call.what} failed: ${String(error)}`);
      },
    );
  }

  /** All that ask. */
  get places(): readonly Place[] {
    return [...this.#machines, ...this.scene.clients];
  }

  able(number: number): Place | undefined {
    const { places } = this;
    const place = places[number % places.length]!;
    return place.isUp && place.line.clock.life === "goes" ? place : undefined;
  }

  tripOf({ trip }: CasePlan): number {
    return trip % this.#plan.trips.length;
  }

  /** The same each time. */
  launchOf(it: Case, place: Place): { workflow: AnyWorkflow; input: object; options: LaunchOptions } {
    const trip = this.tripOf(it.plan);
    const { value, delay, priority } = it.plan;
    const { from } = it;
    const version = versionOf(place);
    const without = it.trip.legs.flatMap(({ group }, at) => (group !== null && at <= (from ?? 0) ? [`leg-${at}`] : []));
    const reason = "launched-so";
    const rollback = from === null ? undefined : { from: nameIn(version, from, it.trip), reason, without };
    const options = {
      ...{ id: it.id, delay },
      ...(rollback !== undefined && { rollback }),
      ...(priority !== undefined && { priority }),
    };
    const input = { value, ...(this.#plan.trips[trip]!.limits !== null && { lane: it.number % 2 }) };
    return { workflow: place.workflows[trip]!, input, options };
  }

  launch(it: Case, by: number): void {
    const place = this.able(by);
    if (place === undefined) return;
    const { workflow, input, options } = this.launchOf(it, place);
    const allowed = mayConflict(it) ? ["STEPWELL_LAUNCH_CONFLICT"] : [];
    this.call(place, `launch ${it.id}`, () => place.client.launch(workflow, input, options), allowed);
  }

  /** Nothing is ever pruned. */
  get isKept(): boolean {
    const { acts, launchers } = this.#plan;
    return !acts.some(({ it }) => it.act === "prune") && launchers.every(({ retention }) => retention === null);
  }

  /** It was pruned. */
  readonly isGone = (id: string): boolean => this.#books.isGone(id);

  caseOf(number: number): Case {
    const it = this.cases[number % this.cases.length]!;
    return this.#isUsurped(it) ? this.cases[0]! : it;
  }

  /** A child has its id. */
  #isUsurped({ id, plan, number }: Case): boolean {
    if (!id.includes("/") || number < 0) return false;
    const record = this.#books.record(id);
    return record !== undefined && record.workflow !== tripName(this.tripOf(plan));
  }

  /** The case, or of a family the member that is meant. */
  #memberOf({ case: number, child }: Target): Case {
    const it = this.caseOf(number);
    if (child === null || !hasGroups(it.trip)) return it;
    const kin = kinOf(it.id, this.#store);
    return kin.length === 0 ? it : this.#childOf(kin[child % kin.length]!);
  }

  #childOf({ id, workflow }: { readonly id: string; readonly workflow: string }): Case {
    let it = this.#children.get(id);
    if (it === undefined) {
      const plan: CasePlan = {
        trip: 0,
        launcher: 0,
        delay: 0,
        value: undefined,
        from: null,
        late: false,
        usurps: false,
      };
      it = newCase(-1, id, plan, this.scene.trips.get(workflow)!);
      this.#children.set(id, it);
    }
    return it;
  }

  /** All that have begun below it. */
  childrenOf(it: Case): Case[] {
    if (!hasGroups(it.trip)) return [];
    const begun = kinOf(it.id, this.#store).filter(({ hasBegun }) => hasBegun);
    return begun.map((child) => this.#childOf(child));
  }

  /** All that were launched, and all below them. */
  get members(): Case[] {
    return this.cases.flatMap((it) => {
      const isOver = this.isGone(it.id) && this.#books.record(it.id) === undefined;
      return isOver || this.#isUsurped(it) ? [] : [it, ...this.childrenOf(it)];
    });
  }

  messageOf({ trip }: Case, { name }: { readonly name: number }): string {
    const index = Math.floor(name / 2) % trip.legs.length;
    return name >= 10 ? sharedMessage : name % 2 === 0 ? upMessage(index) : downMessage(index);
  }

  ask(act: Extract<Act, { readonly act: Asked }>): void {
    const place = this.able(act.by);
    if (act.act === "launch") return this.launch(this.caseOf(act.case), act.by);
    const it = act.act === "publish" ? this.caseOf(act.case) : this.#memberOf(act);
    if (place === undefined) return;
    const { client } = place;
    // If it is pruned meanwhile, this was of its life before.
    const { sent: told, requests, rewound, operated } = it;
    const handle: Execution = client.execution(it.id);
    const missing = "STEPWELL_EXECUTION_NOT_FOUND";
    const name = `${act.act}-${++this.#requests}`;
    const isRefused = "patch" in act && act.patch === "refused" && !("kind" in act && act.kind === "resolve");
    if (isRefused) it.refused.push(name);
    const refusal = isRefused ? ["STEPWELL_INVALID_PATCH"] : [];
    const call = (what: string, asked: () => Promise<unknown>, allowed: readonly string[] = []): void =>
      this.call(place, what, async () => this.#sighted(act.act, it, await asked()), allowed);
    switch (act.act) {
      case "send": {
        const messageId = act.id === null ? undefined : `id-${act.id}`;
        const allowed = ["STEPWELL_EXECUTION_ENDED", "STEPWELL_UNKNOWN_MESSAGE", "STEPWELL_CHILD_NOT_BEGUN", missing];
        const message = this.messageOf(it, act);
        if (!act.valid) allowed.push("STEPWELL_INVALID_MESSAGE");
        const send = async (): Promise<unknown> => {
          const payload = { n: act.valid ? 1 : "none" };
          const sent = await handle.send(message, payload, messageId === undefined ? {} : { messageId });
          told.push(sent.id);
          return sent;
        };
        return call(`send ${message} to ${it.id}`, send, allowed);
      }
      case "publish": {
        const publish = (): Promise<unknown> =>
          client.publish(...([topic, this.messageOf(it, act), { n: 1 }] as const), {
            keepFor: act.keepFor,
            ...(act.id !== null && { messageId: `news-${act.id}` }),
          });
        const published = act.twice ? async () => [await publish(), await publish()] : publish;
        return call(`publish ${this.messageOf(it, act)}`, published, ["STEPWELL_UNKNOWN_MESSAGE"]);
      }
      case "rollback": {
        const revision = this.#seenOf(it, act.seen);
        const request = async (): Promise<unknown> => {
          const answer = await handle.rollback(name, { ifCompleted: act.refuse ? "refuse" : "undo", ...revision });
          requests.push({ reason: name, ...answer, hasDoubts: place.line.hasDoubts });
          return answer;
        };
        return call(`${name} of ${it.id}`, request);
      }
      case "rewind": {
        const { trip } = it;
        const kept = trip.legs.flatMap((leg, number) =>
          isKept(leg) ? [nameIn("1", number, trip), nameIn("2", number, trip)] : [],
        );
        if (act.repeats) it.repeating.push(name);
        const [stood] = this.#store.load([it.id]) as (ExecutionRecord | undefined)[];
        const legs = rewoundTo(trip);
        // By the name that it has as far as the caller knows: it may be migrated at the same time.
        const to = nameIn((stood?.version ?? "1") as Version, legs[act.to % legs.length]!, trip);
        const revision = this.#seenOf(it, act.seen);
        const isBack = stood?.status === "rolledBack" && this.isKept && act.seen !== "before";
        const rewind = async (): Promise<unknown> => {
          const answer = await handle.rewind({
            ...{ to, reason: name, by: name },
            ...patchOf({ rewound: name }, act.patch),
            ...(act.repeats && { repeat: kept }),
            ...revision,
          });
          if (answer.accepted) rewound.push(name);
          else if (isBack && answer.why !== "already-rolled-back")
            this.#books.wrong(`${it.id} is rolled back, and refuses ${name} as ${answer.why}`);
          return answer;
        };
        // It may have become one of a version that has no such step.
        const isOfBoth = versions.every((version) => namesIn(version, trip).includes(to));
        return call(`${name} of ${it.id}`, rewind, [...refusal, ...(isOfBoth ? [] : ["STEPWELL_INVALID_ARGUMENT"])]);
      }
      case "operate": {
        const patch = patchOf({ operated: name }, act.patch);
        const operate = async (): Promise<void> => {
          if (act.kind === "retry") await handle.retry({ by: name, ...patch });
          else if (act.kind === "resolve") await this.#resolve(it, handle, name);
          else if (act.kind === "patchState")
            await handle.patchState(patch.patch ?? { operated: name }, "a try", { by: name });
          else await handle.skip("for the simulation", { by: name, ...patch });
          operated.push(name);
        };
        return call(`${act.kind} ${name} ${it.id}`, operate, [
          "STEPWELL_EXECUTION_NOT_STUCK",
          "STEPWELL_NOT_IN_DOUBT",
          "STEPWELL_CHILDREN_LIVE",
          "STEPWELL_CHILD_NOT_BEGUN",
          "STEPWELL_MIGRATION_FAILED",
          ...(act.kind === "resolve" ? (["STEPWELL_EXECUTION_CHANGED"] as const) : []),
          ...refusal,
          // A patch is waited for, and may find that nobody can go on with the execution.
          ...(act.kind === "patchState" ? (["STEPWELL_EXECUTION_STUCK"] as const) : []),
          // So is a skip with a patch, which may find the execution migrated to another step.
          ...(act.kind === "skip" && it.trip.changes !== undefined ? (["STEPWELL_EXECUTION_STUCK"] as const) : []),
          // And a retry with a patch that only a launcher of the version can check which it is migrated to.
          ...(act.kind === "retry" && isRefused ? (["STEPWELL_EXECUTION_STUCK"] as const) : []),
          missing,
        ]);
      }
      case "outcome":
        return call(`outcome of ${it.id}`, ...this.#outcome(it, handle, act.timeout));
    }
  }

  #sighted(act: string, { number }: Case, answer: unknown): unknown {
    if (number >= 0) return answer;
    this.scene.seen.note("sight", `a child's ${act}`);
    const why = (answer as { readonly why?: string } | undefined)?.why;
    if (why !== undefined) this.scene.seen.note("sight", `of a child refused: ${why}`);
    return answer;
  }

  #seenOf({ id }: Case, seen: LastSeen): { readonly ifRevision?: number } {
    const [record] = this.#store.load([id]) as (ExecutionRecord | undefined)[];
    if (seen === null || record === undefined) return {};
    return { ifRevision: Math.max(0, record.revision - (seen === "before" ? 1 : 0)) };
  }

  /** The operator has looked on the other side. */
  async #resolve({ id, trip }: Case, handle: Execution, by: string): Promise<void> {
    const [record] = this.#store.load([id]) as (ExecutionRecord | undefined)[];
    const { position } = record ?? { position: undefined };
    const number = numberOf(position?.step ?? "leg-0");
    const version = record === undefined ? "1" : launchedIn(record, this.#store.history(id) as HistoryRecord[]);
    const round = roundOf(position ?? {}, position?.stepIndex ?? 0);
    const key = idempotencyKey(id, nameIn(version, number, trip), "run", undefined, round);
    const isThere = this.#books.has(key);
    if (!isThere && position?.direction === "down") this.#books.close(key, id, plainName(number));
    // What was seen is said of that moment, however long it takes to say it.
    const seen = { by, ...(record !== undefined && { ifRevision: record.revision }) };
    await handle.resolve(isThere ? { happened: { resolved: by } } : { didNotHappen: true }, "it was looked at", seen);
  }

  #outcome(it: Case, handle: Execution, timeout: number | null): [() => Promise<unknown>, string[]] {
    const allowed = ["STEPWELL_EXECUTION_NOT_FOUND", "STEPWELL_LAUNCHER_NOT_RUNNING", "STEPWELL_CLIENT_STOPPED"];
    allowed.push("STEPWELL_CHILD_NOT_BEGUN");
    if (timeout !== null) allowed.push("STEPWELL_OUTCOME_TIMEOUT");
    const { outcomes } = it;
    const requested = it.requests.some(({ accepted }) => accepted);
    const outcome = async (): Promise<unknown> => {
      const value = await handle.outcome(timeout === null ? {} : { timeout });
      outcomes.push({ outcome: value, requested });
      return value.status;
    };
    return [outcome, allowed];
  }

  /** As from a process that does not know the workflow: nothing is checked. */
  slip(act: Extract<Act, { readonly act: "slip" }>): void {
    const it = this.#memberOf(act);
    const name = this.messageOf(it, act);
    const isValid = act.valid;
    const [record] = this.#store.load([it.id]) as (ExecutionRecord | undefined)[];
    if (record === undefined) return;
    const id = newId();
    const answer = this.#store.write({
      ...{ creates: [], transitions: [], releases: [] },
      arrivals: [
        {
          ...{ id, execution: it.id, kind: "message", name, messageId: null, carried: null },
          payload: encode({ n: isValid ? 1 : "none" }, { what: "It" }),
          ...{ acceptedIn: ["scheduled", "running", "waiting", "stuck"], wakes: ["waiting"] },
        },
      ],
    }) as BatchResult;
    if (answer.arrivals[0]!.result === "stored") it.sent.push(id);
  }

  /** Whether it has ended, and all below it; what has not gets what it waits for. */
  rests(it: Case): boolean {
    if (this.#isUsurped(it)) return true;
    const unrested = [it, ...this.childrenOf(it)].filter((one) => !this.#rests(one));
    return unrested.length === 0;
  }

  #rests(it: Case): boolean {
    const [record] = this.#store.load([it.id]) as (ExecutionRecord | undefined)[];
    if (record === undefined) return this.isGone(it.id);
    const { status, position, owner, dueAt } = record;
    const { sent, operated } = it;
    const over = ["STEPWELL_EXECUTION_NOT_FOUND"];
    const isParked = owner === null && dueAt === null;
    if (isParked && (status === "completed" || status === "rolledBack")) return true;
    if (isParked && status === "stuck" && !this.scene.families.isHeard(record)) return false;
    const machine = this.#machines.find(({ isUp }) => isUp)!;
    const pending = this.#store.mail({ executions: [it.id], status: "pending" }) as readonly MailboxRecord[];
    // What its children wait for, they get.
    const number = numberOf(position.step);
    if (status === "waiting" && it.trip.legs[number]!.group !== null) return false;
    const name = (position.direction === "up" ? upMessage : downMessage)(number);
    // News of children that it has seen already stays until it commits again.
    const isAnswered = pending.some((row) => row.name === name || (row.kind !== "message" && row.kind !== "told"));
    if (status === "waiting" && !isAnswered) {
      const send = async (): Promise<void> => void sent.push((await machine.launcher.send(it.id, name, { n: 1 })).id);
      if (++this.#requests % 2 === 0 && lastResend(it, name, this, machine)) return false;
      this.call(machine, `last send ${name} to ${it.id}`, send, [...over, "STEPWELL_EXECUTION_ENDED"]);
    } else if (isParked && status === "stuck" && pending.every(({ kind }) => held.has(kind))) {
      const by = `operate-${++this.#requests}`;
      const operate = async (): Promise<void> => {
        // What fails each time, as children with too short a deadline, is given up some time.
        if (this.#requests % 4 > 0 && operated.length < 30) await machine.launcher.retry(it.id, { by });
        else await machine.launcher.skip(it.id, "at last", { by });
        operated.push(by);
      };
      this.call(machine, `last operate ${by} ${it.id}`, operate, [
        ...over,
        "STEPWELL_EXECUTION_NOT_STUCK",
        "STEPWELL_CHILDREN_LIVE",
        "STEPWELL_MIGRATION_FAILED",
      ]);
    }
    return false;
  }
}

/** Whom an act is about. */
interface Target {
  readonly case: number;
  /** Of a family: which of those below. Null: the one that was launched. */
  readonly child: number | null;
}

function newCase(number: number, id: string, plan: CasePlan, trip: Trip): Case {
  const told = { sent: [], requests: [], rewound: [], repeating: [], operated: [], refused: [], outcomes: [] };
  return { number, id, plan, trip, from: fromOf(plan, trip), ...told };
}

/** One of the legs that both versions have, and not behind the pivot. */
function fromOf({ from }: CasePlan, trip: Trip): number | null {
  const newer = legsIn(trip, "2");
  const legs = legsIn(trip, "1").filter((it) => newer.includes(it) && !(trip.pivot !== null && it > trip.pivot));
  return from === null || legs.length === 0 ? null : legs[from % legs.length]!;
}

function patchOf(given: object, patch: AskedPatch): { readonly patch?: object } {
  if (patch === null) return {};
  return { patch: patch === "refused" ? { ...given, [refusedField]: true } : given };
}

function versionOf(place: Place): Version {
  return "version" in place ? (place as Machine).version : "1";
}

/**
 * A child may have its id. And who launches in rollback from a leg that has another name in another version names another step than
 * who has launched it there.
 */
export function mayConflict({ id, from, trip: { changes } }: Case): boolean {
  return id.includes("/") || (from !== null && from === changes?.renamed);
}

/**
 * The legs to which a rewind may go. What is on its way back to one that version 2 drops can't be migrated, whatever `move` says: where
 * version 1 is not kept it would be parked for good.
 */
function rewoundTo({ legs, changes, deployment }: Trip): number[] {
  const numbers = legs.map((_, number) => number);
  return deployment?.keepsOld === true ? numbers : numbers.filter((number) => number !== changes?.dropped);
}

function plainly(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** What may be pending where only an operator helps: a parent's request too, which waits for what is said of a pivot in doubt. */
const held = new Set<MailboxRecord["kind"]>(["message", "told", "rollback"]);
