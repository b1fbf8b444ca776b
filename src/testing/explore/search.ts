/** Goes through the histories in the order of how much goes wrong in them. */
import { systemClock } from "../../clock.js";
import { milliseconds, type Duration } from "../../definition/duration.js";
import { StepwellError } from "../../errors.js";
import { invalidArgument, shown } from "../../values/options.js";
import { exploredId } from "./calls.js";
import { counterexampleOf, type Counterexample } from "./counterexample.js";
import { written, type Course, type Fault, type Point } from "./course.js";
import { History } from "./history.js";
import type { Setting } from "./setting.js";
import { play } from "./play.js";
import { Reached, type Situation } from "./reached.js";
import { verdictOn, type Invariant } from "./verdict.js";

export interface Limits {
  readonly depth: number;
  readonly random: number;
  readonly histories: number;
  /** In milliseconds. */
  readonly time: number;
}

export interface NotReached {
  readonly step: string;
  readonly situation: Situation | "it never ran";
}

export interface SearchReport {
  /** How many histories were played. */
  readonly histories: number;
  /** How many there are. */
  readonly of: number;
  /** How many of those that were played were left where another one had been in the same state. */
  readonly cut: number;
  readonly milliseconds: number;
  /** What was not seen of steps and their undos. */
  readonly notReached: readonly NotReached[];
  /** What the budget left out. Left out: nothing. */
  readonly notCovered?: string;
}

/** A course that is still to be played. */
interface Planned {
  readonly course: Course;
}

/** How many things may still go wrong there, at most, in a state that was seen. */
type SeenStates = Map<string, number>;

export class Search<World> {
  counterexample: Counterexample | undefined;
  readonly #name: string;
  readonly #setting: Setting<World>;
  readonly #invariant: Invariant<World> | undefined;
  readonly #limits: Limits;
  readonly #seen: SeenStates = new Map();
  readonly #reached = new Reached();
  readonly #begun = systemClock.monotonic();
  #histories = 0;
  #of = 0;
  #cut = 0;
  #notCovered: string | undefined;

  constructor(name: string, setting: Setting<World>, invariant: Invariant<World> | undefined, limits: Limits) {
    this.#name = name;
    this.#setting = setting;
    this.#invariant = invariant;
    this.#limits = limits;
  }

  async only(course: Course): Promise<void> {
    this.#of = 1;
    await this.#played(course, 0, false);
  }

  async all(): Promise<void> {
    this.#of = 1;
    const base = await this.#played([], this.#limits.depth, false);
    if (base === undefined) return;
    await this.#isDeterministic(base);
    let frontier = extended({ course: [] }, base.script.points);
    for (let depth = 1; depth <= this.#limits.depth && this.counterexample === undefined; depth++) {
      this.#of += frontier.length;
      frontier = await this.#level(frontier, this.#limits.depth - depth);
    }
    await this.#random(base.script.points);
  }

  /** Plays all of them. What can follow each of them is given back. */
  async #level(frontier: readonly Planned[], left: number): Promise<readonly Planned[]> {
    const next: Planned[] = [];
    for (const [index, planned] of frontier.entries()) {
      if (this.#isSpent()) {
        this.#notCovered = `${frontier.length - index} histories in which ${planned.course.length === 1 ? "one thing goes" : `${planned.course.length} things go`} wrong`;
        return [];
      }
      const history = await this.#played(planned.course, left, true);
      if (history === undefined) return [];
      if (left > 0) next.push(...extended(planned, history.script.points));
    }
    return next;
  }

  #isSpent(): boolean {
    return this.#histories >= this.#limits.histories || systemClock.monotonic() - this.#begun >= this.#limits.time;
  }

  /** Three to five things go wrong: one after the other, wherever the history before has come. */
  async #random(points: readonly Point[]): Promise<void> {
    for (let number = 0; number < this.#limits.random && this.counterexample === undefined; number++) {
      if (this.#isSpent()) {
        this.#notCovered = `${this.#limits.random - number} random histories`;
        return;
      }
      const depth = 3 + Math.floor(systemClock.random() * 3);
      let course: Course = [];
      let at = points;
      for (let nth = 0; nth < depth && at.length > 0; nth++) {
        const point = at[Math.floor(systemClock.random() * at.length)]!;
        course = [
          ...course,
          { at: point.at, fault: point.faults[Math.floor(systemClock.random() * point.faults.length)]! },
        ];
        const history = await this.#played(course, 0, false);
        if (history === undefined) return;
        at = history.script.points;
      }
      this.#of = Math.max(this.#of, this.#histories);
    }
  }

  /** Undefined: it ends the search. @param mayBeCut whether it may be left where another one has been */
  async #played(course: Course, left: number, mayBeCut: boolean): Promise<History<World> | undefined> {
    const mine = new Set<string>();
    const history = new History(this.#setting, course, (key) => {
      if (mine.has(key)) return false;
      const most = this.#seen.get(key) ?? -1;
      if (most >= left && mayBeCut) return true;
      mine.add(key);
      if (most < left) this.#seen.set(key, left);
      return false;
    });
    this.#histories++;
    try {
      await play(history);
    } finally {
      history.end();
    }
    if (history.failed !== undefined) throw history.failed;
    const { impossible } = history.script;
    if (impossible !== undefined) {
      const { at, faults } = impossible;
      throw invalidArgument(
        `explore: at "${at}" there may happen ${faults.join(", ") || "nothing"}, not what "history" says`,
      );
    }
    if (history.script.missed.length > 0 && !history.isCut) throw notDeterministic(this.#name, history.script.missed);
    this.#reached.add(history.reached);
    if (history.isCut) {
      this.#cut++;
      return history;
    }
    const problems = await verdictOn(history, this.#invariant);
    if (problems.length === 0) return history;
    this.counterexample = await this.#shown(course, problems, history);
    return undefined;
  }

  async #shown(course: Course, problems: readonly string[], history: History<World>): Promise<Counterexample> {
    const execution = history.operator.client.execution(exploredId);
    if (history.record() === undefined) {
      return counterexampleOf(this.#name, course, problems, { rows: history.log, transitions: [] });
    }
    const [transitions, details] = [await execution.history(), await execution.details()];
    return counterexampleOf(this.#name, course, problems, { rows: history.log, transitions, details });
  }

  /** A history goes the same way each time, or nothing is known after it was played once. */
  async #isDeterministic(base: History<World>): Promise<void> {
    const again = new History(this.#setting, [], () => false);
    await play(again);
    again.end();
    const index = base.script.passed.findIndex((at, place) => again.script.passed[place] !== at);
    const isLonger = again.script.passed.length > base.script.passed.length;
    if (index === -1 && !isLonger) return;
    const at = index === -1 ? base.script.passed.length : index;
    throw new StepwellError(
      "STEPWELL_NOT_DETERMINISTIC",
      `Workflow "${this.#name}": the same history went differently the second time: point ${at + 1} was ` +
        `"${base.script.passed[at] ?? "the end"}", then "${again.script.passed[at] ?? "the end"}". Does a step, or the world, read a ` +
        `clock, draw random numbers, or keep something from one history to the next? Make it anew in "world".`,
      { workflow: this.#name },
    );
  }

  get report(): SearchReport {
    return {
      histories: this.#histories,
      of: Math.max(this.#of, this.#histories),
      cut: this.#cut,
      milliseconds: systemClock.monotonic() - this.#begun,
      notReached: this.#missing(),
      ...(this.#notCovered !== undefined && { notCovered: this.#notCovered }),
    };
  }

  #missing(): readonly NotReached[] {
    const definition = this.#setting.definition(this.#setting.world());
    const wanted: readonly Situation[] = ["happened, with its patch", "happened, without its patch", "did not happen"];
    return definition.steps.flatMap(
      ({ name, run, rollback, children, waits, transactional }, index): readonly NotReached[] => {
        if (run === undefined || children !== undefined || waits !== undefined) return [];
        if (!this.#reached.run.has(name)) return [{ step: name, situation: "it never ran" }];
        const isPast = definition.pivot >= 0 && index >= definition.pivot;
        if (rollback === undefined || isPast || transactional) return [];
        const seen = this.#reached.undone.get(name);
        return wanted.flatMap((situation) => (seen?.has(situation) === true ? [] : [{ step: name, situation }]));
      },
    );
  }
}

function extended({ course }: Planned, points: readonly Point[]): readonly Planned[] {
  return points.flatMap(({ at, faults }) => faults.map((fault: Fault) => ({ course: [...course, { at, fault }] })));
}

function notDeterministic(workflow: string, missed: Course): StepwellError {
  return new StepwellError(
    "STEPWELL_NOT_DETERMINISTIC",
    `Workflow "${workflow}": a history never came to ${missed.map((one) => `"${written(one)}"`).join(", ")}. Is it of another version of the ` +
      `workflow? Or does a step read a clock, draw random numbers, or keep something from one history to the next?`,
    { workflow },
  );
}

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_INVALID_DURATION */
export function limitsOf(options: {
  readonly depth?: number;
  readonly random?: number;
  readonly budget?: { readonly histories?: number; readonly time?: Duration };
}): Limits {
  const { depth = 1, random = 0, budget = {} } = options;
  const whole = (name: string, value: unknown, from: number): number => {
    if (Number.isSafeInteger(value) && (value as number) >= from) return value as number;
    throw invalidArgument(`explore: "${name}" is a whole number from ${from} on, not ${shown(value)}`);
  };
  return {
    depth: whole("depth", depth, 0),
    random: whole("random", random, 0),
    histories: budget.histories === undefined ? Infinity : whole("budget.histories", budget.histories, 1),
    time: budget.time === undefined ? Infinity : milliseconds(budget.time, "explore: budget.time"),
  };
}
