/** Plays a plan: launchers on one store and on virtual time, faults and acts, then everything is healed and has to come to rest. */
import { systemClock } from "../../src/clock.js";
import { isRetryable, type StepwellError } from "../../src/errors.js";
import { silentLogger } from "../../src/definition/logger.js";
import { Launcher } from "../../src/index.js";
import type { ExecutionRecord } from "../../src/execution/records.js";
import type { Store } from "../../src/stores/contract.js";
import { QuickClock } from "../../src/testing/faults/quick-clock.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import { Books } from "./books.js";
import { launchMany } from "./batches.js";
import { Retention } from "./retention.js";
import { hasSchedule, Schedules, ticksOf, type NightAct } from "./schedules.js";
import { deploymentOf, isDeployed, withAll } from "./deployments.js";
import { MigrationWatch } from "./migration-watch.js";
import { RecallWatch } from "./recalls.js";
import { Gates } from "./limits.js";
import { resend, wrongLetters } from "./letters.js";
import { Callers, type Case, type Machine, type Place } from "./callers.js";
import { violationsOf } from "./checks.js";
import { FamilyWatch } from "./family-checks.js";
import { clientOn } from "./clients.js";
import { Line } from "./machine.js";
import type { Act, LauncherPlan, LinePlan, Plan, Trip } from "./plan.js";
import { Witness, type Seen } from "./seen.js";
import { shapeOf, tripName, tripsOf, tripsOn } from "./trips.js";
import type { Version } from "./versions.js";

export interface Played {
  readonly violations: readonly string[];
  readonly trace: readonly string[];
}

const plainLauncher: LauncherPlan = {
  ...{
    concurrency: 100,
    drain: 1000,
    skew: 0,
    latency: null,
    gathers: false,
    loses: null,
    most: null,
    retention: null,
  },
  waits: { poll: 1000, beat: [1000, 4000], grace: 500 },
};

/** How long it may take after everything was healed, in rounds of two seconds: an undo waits up to five minutes for its next try. */
const rounds = 450;

/** More often no execution is taken up by one launcher while it does not go on. */
const mostTold = 20;

export interface Playing {
  readonly seen: Seen;
  readonly traced: boolean;
}

export async function play(plan: Plan, open: (clock: VirtualClock) => Store, how: Playing): Promise<Played> {
  const world = new World(plan, open, how);
  return world.play();
}

class World {
  readonly #plan: Plan;
  readonly #clock: VirtualClock;
  readonly #store: Store;
  /** The store as the machines reach it. */
  readonly #watched: Store;
  readonly #witness: Witness;
  readonly #gates: Gates;
  readonly #books: Books;
  readonly #machines: Machine[] = [];
  readonly #clients: Place[] = [];
  readonly #callers: Callers;
  readonly #families: FamilyWatch;
  readonly #retention: Retention;
  readonly #recalls: RecallWatch;
  readonly #schedules: Schedules;

  constructor(plan: Plan, open: (clock: VirtualClock) => Store, { seen, traced }: Playing) {
    this.#plan = plan;
    this.#clock = new QuickClock({ seed: plan.seed });
    this.#store = open(this.#clock);
    this.#books = new Books(this.#store, this.#clock, traced);
    const trips = tripsOf(plan);
    this.#families = new FamilyWatch(this.#store, trips, this.#books, seen);
    // What has another shape in another version takes no part in the count of edges.
    const isOne = (trip: Trip): boolean => !isDeployed(plan) || deploymentOf(trip) === null;
    const shapes = [...trips].flatMap(([name, it]) => (isOne(it) ? [[name, shapeOf(it)] as const] : []));
    const wrong = (what: string): void => this.#books.wrong(what);
    const limits = [...trips].flatMap(([name, it]) => (it.limits === null ? [] : [[name, it.limits] as const]));
    this.#gates = new Gates(new Map(limits), this.#store, this.#clock, seen, wrong);
    const all = new Map(plan.trips.map((it, index) => [tripName(index), withAll(it)]));
    const migrations = new MigrationWatch(all, this.#books, seen);
    const { timers } = this.#books;
    this.#witness = new Witness(seen, new Map(shapes), this.#gates, this.#families, migrations, timers, wrong);
    this.#watched = this.#witness.over(this.#store);
    this.#callers = new Callers({
      trips,
      families: this.#families,
      plan,
      store: this.#store,
      books: this.#books,
      seen,
      machines: this.#machines,
      clients: this.#clients,
      clock: this.#clock,
    });
    this.#retention = new Retention(this.#callers, (id) => this.#witness.forget(id));
    this.#schedules = new Schedules(this.#callers);
    this.#recalls = new RecallWatch(this.#callers);
    this.#witness.recalls = this.#recalls;
    this.#witness.schedules = this.#schedules;
    this.#witness.retention = this.#retention;
  }

  async play(): Promise<Played> {
    await this.#store.open();
    const unheard = (error: unknown): void => this.#books.wrong(`unhandled rejection: ${String(error)}`);
    process.on("unhandledRejection", unheard);
    try {
      for (const it of this.#plan.launchers) this.#add(it);
      for (const it of this.#plan.clients) this.#addClient(it);
      await this.#clock.advance(500);
      for (const it of this.#plan.early) this.#act(it);
      for (const it of this.#callers.cases) if (!it.plan.late) this.#callers.launch(it, it.plan.launcher);
      for (const { after, it } of this.#plan.acts) {
        await this.#clock.advance(after);
        this.#books.note(() => JSON.stringify(it));
        if (it.act === "recall") await this.#waitForSome();
        if (it.act === "night") await this.#sleep(it.milliseconds);
        else this.#act(it);
        if (it.act === "schedule" && it.night !== null) {
          await this.#clock.advance(200);
          await this.#sleep(it.night);
        }
        await this.#clock.settle();
      }
      await this.#heal();
      await this.#comeToRest();
      await this.#judge();
      await this.#stopAll();
      // The virtual clock needs no turn of the event loop, and what nobody has heard of is told in one.
      await new Promise<void>((resolve) => systemClock.soon(resolve));
    } finally {
      process.off("unhandledRejection", unheard);
    }
    await this.#store.close();
    return this.#books;
  }

  #add(plan: LauncherPlan, version: Version = "1"): Machine {
    const line = new Line(this.#watched, this.#clock, plan, this.#witness, () => this.#kill(machine));
    const workflows = [...tripsOn(line, this.#plan.trips, this.#books, version), ...ticksOf(this.#plan)];
    const number = this.#machines.length;
    const { poll, beat, grace } = plan.waits;
    const launcher = new Launcher({
      store: line.store,
      clock: line.clock,
      workflows,
      concurrency: plan.concurrency,
      drainTimeout: plan.drain,
      pollInterval: poll,
      heartbeat: { interval: beat[0], timeout: beat[1] },
      abortGrace: grace,
      // What fails is in the trace.
      logger: silentLogger,
      onError: (error) => this.#heard(error, String(number)),
      ...(plan.retention !== null && { retention: plan.retention }),
    });
    const machine: Machine = {
      ...{ name: String(number), line, client: launcher, launcher, workflows, version, isUp: true, isStarted: false },
    };
    this.#machines.push(machine);
    this.#callers.call(machine, "start", () => this.#start(machine));
    return machine;
  }

  #addClient(plan: LinePlan): void {
    const line = new Line(this.#watched, this.#clock, plan, this.#witness, () => this.#kill(place));
    const workflows = [...tripsOn(line, this.#plan.trips, this.#books, "1"), ...ticksOf(this.#plan)];
    const name = `client ${this.#clients.length}`;
    const client = clientOn(line, (error) => this.#heard(error, name));
    const place: Place = { name, line, client, workflows, isUp: true, isStarted: true };
    this.#clients.push(place);
  }

  async #start(machine: Machine): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await machine.launcher.start();
        machine.isStarted = true;
        return;
      } catch (error) {
        if (!isRetryable(error) || tries > 100) throw error;
        await new Promise<void>((resolve) => machine.line.clock.after(700, resolve));
      }
    }
  }

  #heard(error: StepwellError, who: string): void {
    this.#books.note(() => `${who} reports ${error.code} ${error.execution ?? ""}: ${error.message.slice(0, 150)}`);
    const isMistake =
      error.code === "STEPWELL_INVARIANT_VIOLATED" ||
      (error.code === "STEPWELL_UNKNOWN_WORKFLOW" && !isDeployed(this.#plan)) ||
      (error.code === "STEPWELL_STORE_FAILED" && !error.retryable);
    const isTold = error.code === "STEPWELL_INVALID_MESSAGE" || error.code === "STEPWELL_INVALID_PATCH";
    // Each time that the execution is taken up.
    if (isTold && this.#books.count(`${who} is told ${error.message}`) > mostTold)
      this.#books.wrong(`${who} is told again and again: ${error.message}`);
    if (isMistake) this.#books.wrong(`${error.code}: ${error.message}`);
  }

  /** Most have ended: there is something to be recalled. */
  async #waitForSome(): Promise<void> {
    for (let round = 0; round < 12; round++) {
      const isUp = this.#machines.some((it) => it.isUp && it.line.clock.life === "goes");
      if (!isUp || this.#callers.cases.every((it) => this.#callers.rests(it))) return;
      await this.#clock.advance(1000);
    }
  }

  /** Time goes on without anybody. */
  async #sleep(milliseconds: number): Promise<void> {
    const awake = this.#callers.places.filter(({ line }) => line.clock.life === "goes");
    for (const { line } of awake) line.clock.stand();
    await this.#clock.advance(milliseconds);
    for (const { line } of awake) line.clock.goOn();
  }

  #act(act: Exclude<Act, NightAct>): void {
    switch (act.act) {
      case "send":
      case "rollback":
      case "rewind":
      case "publish":
      case "operate":
      case "outcome":
      case "launch":
        return this.#callers.ask(act);
      case "launchMany":
        return launchMany(act, this.#callers);
      case "resend":
        return resend(act, this.#callers);
      case "schedule":
        return this.#schedules.act(act);
      case "recall":
        return this.#recalls.recall(act);
      case "steer":
        return this.#recalls.steer(act);
      case "prune":
        return this.#retention.act(act);
      case "slip":
        return this.#callers.slip(act);
      case "start":
      case "deploy":
        if (this.#machines.length < 5)
          this.#add(this.#plan.launchers[act.launcher % this.#plan.launchers.length]!, act.act === "start" ? "1" : "2");
        return undefined;
      default:
        return this.#trouble(act);
    }
  }

  #trouble(act: Extract<Act, { readonly launcher: number }>): void {
    const { places } = this.#callers;
    const place = places[act.launcher % places.length]!;
    if (!place.isUp) return;
    const { line } = place;
    const later = (milliseconds: number, mend: () => void): void =>
      void this.#clock.after(milliseconds, () => !this.#books.isHealed && mend());
    switch (act.act) {
      case "stop":
        if (line.clock.life === "goes") this.#stop(place);
        return undefined;
      case "pause":
        return line.clock.stand();
      case "resume":
        return line.clock.goOn();
      case "crash": {
        this.#kill(place);
        if (act.bury) void this.#store.removeLaunchers(line.owners);
        return undefined;
      }
      case "crashAt":
        return line.setTrap({
          ...{ operation: act.operation, left: act.nth, springs: act.applied ? "dies-after" : "dies-before" },
        });
      case "meet":
        return line.setMeeting({
          ...{ operation: act.operation, left: act.nth },
          happens: () => this.#callers.ask(act.it),
        });
      case "stall":
        return line.setStall({ ...act, left: act.nth });
      case "failAt":
        return line.setTrap({ operation: act.operation, left: act.nth, springs: act.failing });
      case "outage": {
        for (const operation of act.operations) line.down.add(operation);
        return later(act.milliseconds, () => line.down.clear());
      }
      case "deafen":
        line.isDeaf = true;
        return later(act.milliseconds, () => (line.isDeaf = false));
      case "start":
      case "deploy":
        return undefined;
    }
  }

  #stop(place: Place): void {
    place.isUp = false;
    this.#callers.call(place, "stop", () => place.client.stop());
  }

  #kill(place: Place): void {
    this.#books.note(() => `${place.name} dies`);
    place.isUp = false;
    place.line.clock.die();
  }

  async #heal(): Promise<void> {
    this.#books.note(() => "healed");
    this.#books.isHealed = true;
    this.#books.healedAt = this.#clock.now();
    for (const { line } of this.#callers.places) {
      line.heal();
      line.clock.goOn();
    }
    await this.#clock.settle();
    // Nobody else could go on with what has been migrated.
    const version = this.#machines.some((it) => it.version === "2") ? "2" : "1";
    if (!this.#machines.some((it) => it.isUp && it.version === version)) this.#add(plainLauncher, version);
    const isLacking = ({ id }: Case): boolean => this.#books.record(id) === undefined;
    if (hasSchedule(this.#plan) || this.#callers.cases.some(isLacking)) await this.#clock.advance(7000);
    await this.#schedules.end();
    for (const it of this.#callers.cases) {
      const [record] = this.#store.load([it.id]) as (ExecutionRecord | undefined)[];
      const by = this.#machines.findIndex(({ isUp }) => isUp);
      if (record === undefined && !this.#callers.isGone(it.id)) this.#callers.launch(it, by);
    }
  }

  async #comeToRest(): Promise<void> {
    let left: Case[] = [];
    let isOver = false;
    for (let round = 0; round < rounds; round++) {
      await this.#clock.advance(2000);
      left = this.#callers.cases.filter((it) => !this.#callers.rests(it));
      isOver = (await this.#recalls.rests()) && (await this.#schedules.rests());
      if (isOver && left.length === 0 && this.#callers.open.length === 0) break;
    }
    if (!isOver) this.#books.wrong("a recall, or what a schedule has launched, never ends");
    for (const { id } of left) {
      const [record] = this.#store.load([id]) as (ExecutionRecord | undefined)[];
      this.#books.wrong(`${id} is stranded: ${JSON.stringify({ ...record, state: undefined, input: undefined })}`);
    }
  }

  async #judge(): Promise<void> {
    await this.#clock.advance(3000);
    for (const what of this.#callers.open) this.#books.wrong(`${what} never ends`);
    for (const what of await wrongLetters(this.#callers)) this.#books.wrong(what);
    for (const what of await this.#recalls.wrongAtLast()) this.#books.wrong(what);
    for (const what of this.#gates.wrongAtLast()) this.#books.wrong(what);
    for (const what of await this.#schedules.wrongAtLast(this.#callers.isKept)) this.#books.wrong(what);
    for (const it of this.#callers.members)
      for (const what of violationsOf(it, this.#store, this.#books, this.#families))
        this.#books.wrong(`${it.id} ${what}`);
  }

  /** Nothing is left of a launcher that was stopped. */
  async #stopAll(): Promise<void> {
    for (const place of this.#callers.places) if (place.isUp) this.#stop(place);
    for (let tries = 0; tries < 10 && (tries === 0 || this.#callers.open.length > 0); tries++)
      await this.#clock.advance(2000);
    for (const what of this.#callers.open) this.#books.wrong(`${what} never ends after the stop`);
    for (const { name, line } of this.#callers.places) {
      if (line.clock.life === "gone") continue;
      if (line.clock.pending > 0) this.#books.wrong(`${name} has ${line.clock.pending} timers after its stop`);
      for (const id of this.#books.awake(line)) this.#books.wrong(`${id} is awake on ${name} after its stop`);
    }
  }
}
