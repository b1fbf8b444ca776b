/** From the launch of an execution to where nothing more comes: what happens by itself, what is sent, what an operator mends. */
import type { StepDefinition } from "../../definition/definition.js";
import type { ExecutionRecord, MailboxRecord } from "../../execution/records.js";
import { idempotencyKey } from "../../ids.js";
import { keyNameOf, roundOf } from "../../execution/position.js";
import { exploredId, whereOf } from "./calls.js";
import type { Fault } from "./course.js";
import type { History } from "./history.js";

/** So often something may happen before it is taken for endless. */
const mostTurns = 2000;
/** So many timers may fire before anything happens. */
const mostTimers = 400;
/** So often an operator tries again what is stuck. */
const mostMended = 3;

export async function play<World>(history: History<World>): Promise<void> {
  await new Play(history).toTheEnd();
}

class Play<World> {
  readonly #history: History<World>;
  /** Messages that are not sent again: what waits for them, and their names. */
  readonly #withheld = new Set<string>();
  /** What is sent after the next thing that happens. */
  #late: (() => Promise<unknown>)[] = [];
  #mended = 0;
  /** So many timers more may fire before a request is answered. */
  #patience = mostTimers;
  #isBegun = false;

  constructor(history: History<World>) {
    this.#history = history;
  }

  async toTheEnd(): Promise<void> {
    const history = this.#history;
    for (let turn = 0; turn < mostTurns; turn++) {
      history.ensureProcess();
      await history.settle();
      if (history.isCut || history.failed !== undefined) return;
      const record = history.record();
      if (record !== undefined && (await this.#begins())) continue;
      const isOver = record === undefined ? false : await this.#rests(record);
      if (history.isCut || isOver) return;
    }
    history.violations.push(`It does not come to rest: after ${mostTurns} turns it still goes on.`);
  }

  /** Messages that come before they are waited for. */
  async #begins(): Promise<boolean> {
    if (this.#isBegun) return false;
    this.#isBegun = true;
    const names = Object.keys(this.#history.setting.messages);
    const fault = this.#history.script.at(
      "begin",
      names.map((name): Fault => `early ${name}`),
    );
    if (fault === undefined) return false;
    await this.#send(exploredId, fault.slice("early ".length));
    return true;
  }

  /** What is done where nothing happens without time. True: it is over. */
  async #rests(record: ExecutionRecord): Promise<boolean> {
    const { status } = record;
    if (this.#late.length > 0) {
      for (const send of this.#late.splice(0)) await send();
      return false;
    }
    if (this.#history.asking > 0 && this.#patience-- > 0) {
      await this.#history.clock.advanceToNext();
      return false;
    }
    if (status === "completed" || status === "rolledBack") return this.#ended(record);
    if (status === "stuck") return this.#stuck(record);
    if (await this.#mendsChild()) return false;
    if (await this.#sends()) return false;
    if (this.#history.isCut) return true;
    if (await this.#passTime()) return false;
    return this.#waitsForEver(record);
  }

  async #ended({ status, position, owner, dueAt }: ExecutionRecord): Promise<boolean> {
    const history = this.#history;
    // A request came, and nobody has looked at it yet.
    if ((owner !== null || dueAt !== null) && (await this.#passTime())) return false;
    if (status === "completed") {
      const faults = ["rollback requested", ...history.rewinds(position.step)] as const;
      const fault = this.#at("completed", faults);
      if (fault !== undefined) {
        await history.ask(fault);
        return false;
      }
      if (history.isCut) return true;
    }
    if (!history.release()) return true;
    await history.settle();
    await history.clock.advance("5m");
    return false;
  }

  async #stuck(record: ExecutionRecord): Promise<boolean> {
    const history = this.#history;
    const { position, owner } = record;
    // What was asked for is being done.
    if (owner !== null && (await this.#passTime())) return false;
    const faults: Fault[] = ["skipped", "retried twice"];
    if (position.direction === "up") faults.push("rollback requested", ...history.rewinds(position.step));
    const fault = this.#at(`stuck at ${position.step}`, faults);
    if (history.isCut) return true;
    this.#heal();
    if (fault === "rollback requested" || fault?.startsWith("rewind ") === true) {
      await history.ask(fault);
      await history.settle();
    } else if (fault === "skipped")
      history.note("an operator skips", await this.#during(history.operator.mend(exploredId, "skip")), true);
    else {
      if (this.#mended++ > mostMended) {
        history.violations.push(
          `It is stuck at "${position.step}" for good: ${position.stuckBy?.message ?? position.reason}`,
        );
        return true;
      }
      await this.#mends(record);
      if (fault === "retried twice") await this.#mends(record);
    }
    return false;
  }

  /** An operator has seen to it that calls succeed again, and that messages come. */
  #heal(): void {
    this.#history.heal();
    this.#withheld.clear();
  }

  /** Retries a stuck child that its parent waits for. */
  async #mendsChild(): Promise<boolean> {
    const history = this.#history;
    for (const id of history.ids) {
      const record = id === exploredId ? undefined : history.record(id);
      if (record?.status !== "stuck" || record.owner !== null || this.#mended > mostMended) continue;
      this.#mended++;
      this.#heal();
      await this.#mends(record);
      return true;
    }
    return false;
  }

  /** Acts on a stuck execution as an operator who knows what has really become of its effect. */
  async #mends(record: ExecutionRecord): Promise<void> {
    const { operator, reached } = this.#history;
    const { position, id } = record;
    const isDoubt = position.doubts?.some(({ index }) => index === position.stepIndex) === true;
    if (isDoubt && position.stuckBy?.code === "STEPWELL_IN_DOUBT") {
      const key = idempotencyKey(
        id,
        keyNameOf(position.step, position.keys),
        "run",
        undefined,
        roundOf(position, position.stepIndex),
      );
      // An operator who looks too soon does not see an effect that is still on its way.
      if (this.#history.isHanging) await this.#history.clock.advance("3m");
      const answer = await this.#during(operator.resolve(id, reached.givenUnder(key)));
      this.#history.note(`an operator resolves${whereOf(id)}`, answer, false);
    } else
      this.#history.note(`an operator retries${whereOf(id)}`, await this.#during(operator.mend(id, "retry")), false);
  }

  /** Time may have to pass before a launcher decides. */
  async #during(asked: Promise<string>): Promise<string> {
    const history = this.#history;
    const answers: string[] = [];
    void asked.then((answer) => answers.push(answer));
    for (let timers = 0; timers < mostTimers; timers++) {
      await history.settle();
      if (answers.length > 0) break;
      await history.clock.advanceToNext();
    }
    return answers[0] ?? "no answer";
  }

  /** The script, and a look at whether another history has been here. */
  #at(name: string, faults: readonly Fault[]): Fault | undefined {
    if (this.#history.cutIfSeen()) return undefined;
    return this.#history.script.at(name, faults);
  }

  /** Sends what somebody waits for. False: nobody does, or it is withheld. */
  async #sends(): Promise<boolean> {
    const history = this.#history;
    for (const id of [...history.ids].toSorted()) {
      const record = history.record(id);
      const names = record?.status === "waiting" ? this.#awaited(record) : [];
      const key = `${id} ${record?.position.step} ${record?.position.direction}`;
      const has = this.#pending(id);
      if (names.length === 0 || this.#withheld.has(key) || names.some((name) => has.has(name))) continue;
      const isUp = record!.position.direction === "up";
      const faults: Fault[] = [
        "never comes",
        "comes twice",
        "comes late",
        ...names.slice(1).map((name): Fault => `instead ${name}`),
      ];
      if (isUp && id === exploredId) faults.push("rollback requested", ...history.rewinds(record!.position.step));
      const fault = this.#at(`waiting at ${record!.position.step}${whereOf(id)}`, faults);
      if (history.isCut) return false;
      await this.#sendsAs(fault, id, names[0]!, key);
      return true;
    }
    return false;
  }

  async #sendsAs(fault: Fault | undefined, id: string, name: string, key: string): Promise<void> {
    const history = this.#history;
    if (fault === undefined) return this.#send(id, name);
    if (fault === "comes twice") {
      await this.#send(id, name);
      return this.#send(id, name);
    }
    if (fault.startsWith("instead ")) return this.#send(id, fault.slice("instead ".length));
    if (fault === "never comes" || fault === "comes late") {
      this.#withheld.add(key);
      history.note(name, fault, true);
      const happened = await this.#passTime();
      if (fault === "comes late" && happened) this.#late.push(() => this.#send(id, name));
      return undefined;
    }
    return history.ask(fault);
  }

  /** What the step takes of the messages that there are payloads for. */
  #awaited({ id, workflow, position }: ExecutionRecord): readonly string[] {
    const step = stepOf(this.#history.definition, workflow, position.step);
    if (step === undefined || id === undefined) return [];
    const schemas = position.direction === "up" ? step.messages : step.rollbackMessages;
    return Object.keys(this.#history.setting.messages).filter((name) => Object.hasOwn(schemas, name));
  }

  #pending(id: string): ReadonlySet<string> {
    const mail = this.#history.store.mail({ executions: [id] }) as readonly MailboxRecord[];
    return new Set(
      mail.flatMap(({ kind, status, name }) => (kind === "message" && status === "pending" ? [name] : [])),
    );
  }

  async #send(id: string, name: string): Promise<void> {
    const history = this.#history;
    const given = history.setting.messages[name];
    const payload: unknown =
      typeof given === "function" ? (given as (world: unknown) => unknown)(history.world) : given;
    history.happened++;
    history.note(`message ${name}${whereOf(id)}`, await history.operator.send(id, name, payload), false);
  }

  /** Lets time pass until something happens. False: nothing ever does by itself. */
  async #passTime(): Promise<boolean> {
    const history = this.#history;
    const before = history.happened;
    const revision = history.record()?.revision;
    for (let timers = 0; timers < mostTimers; timers++) {
      history.ensureProcess();
      const due = this.#due();
      if (due === "never") return false;
      if (due === "now") {
        if (!(await history.clock.advanceToNext())) return false;
      } else await history.clock.advance(due);
      await history.settle();
      if (history.happened !== before || history.record()?.revision !== revision || history.isCut) return true;
    }
    return false;
  }

  /** When something happens by itself: after so many milliseconds; `now` where a process has it in work, or is to take it up. */
  #due(): number | "now" | "never" {
    const { store, ids, clock } = this.#history;
    if (ids.size === 0) return "now";
    const records = (store.load([...ids]) as readonly (ExecutionRecord | undefined)[]).filter((it) => it !== undefined);
    const lists = (store.lists?.due(1) ?? []) as readonly string[];
    if (lists.length > 0) return "now";
    if (records.some(({ owner }) => owner !== null)) return "now";
    const dues = records.flatMap(({ dueAt }) => (dueAt === null ? [] : dueAt - clock.now()));
    if (dues.length === 0) return "never";
    const first = Math.min(...dues);
    return first > 0 ? first : "now";
  }

  #waitsForEver(record: ExecutionRecord): boolean {
    const history = this.#history;
    if (history.release()) return false;
    const { position, status } = record;
    const names = this.#awaited(record);
    const what =
      status === "running"
        ? "in a function that never ends: give its step a timeout"
        : names.length > 0
          ? `where ${names.map((name) => `"${name}"`).join(" or ")} never comes: give its wait a timeout`
          : "for children that wait for ever, or for a message whose payload is not in `messages`";
    history.violations.push(`It waits for ever at "${position.step}", ${what}.`);
    return true;
  }
}

function stepOf(
  definition: { readonly name: string; readonly steps: readonly StepDefinition[] },
  workflow: string,
  step: string,
): StepDefinition | undefined {
  if (definition.name === workflow) return definition.steps.find(({ name }) => name === step);
  for (const { children } of definition.steps) {
    for (const child of Object.values(children?.workflows ?? {})) {
      const found = stepOf(child, workflow, step);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
