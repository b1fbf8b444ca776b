/**
 * Explores a workflow: plays every history in which one thing goes wrong, or two, and holds each against what is asked of it.
 *
 * Where an execution stands, and what it holds, is data, so what can happen to it is finite, and can be counted before it is walked. The
 * order is that of a model checker: first all goes well, then each thing goes wrong alone, then each two. So what is found first is
 * the smallest.
 */
import type { AnyWorkflow, InputOf, MessageName, PayloadOf, StepsOf } from "../../definition/bag.js";
import type { WorkflowDefinition } from "../../definition/definition.js";
import { definitionOf } from "../../definition/definition-of.js";
import type { Duration } from "../../definition/duration.js";
import type { Counterexample } from "./counterexample.js";
import { faultKinds, kindOf, readDeviation, type FaultKind } from "./course.js";
import type { Setting } from "./setting.js";
import { ExploreError } from "./explore-error.js";
import { mutantsOf } from "./mutants.js";
import { snapshotOf } from "./participant.js";
import { limitsOf, Search, type Limits, type SearchReport } from "./search.js";
import type { Invariant } from "./verdict.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../../values/options.js";

/** Of each message by name, those of children too: the payload, or a function that gives it. */
export type Payloads<W extends AnyWorkflow, World> = Readonly<Record<string, unknown>> & {
  readonly [Name in MessageName<W>]?: PayloadOf<W, Name> | ((world: World) => PayloadOf<W, Name>);
};

export interface ExploreOptions<World, W extends AnyWorkflow = AnyWorkflow> {
  /** The input of the execution. */
  readonly input: InputOf<W>;
  /** Makes the other side anew for each history: participants, or whatever fakes the workflow talks to. Default: there is none. */
  readonly world?: () => World;
  /** Throws where something is wrong with how a history has ended. It is called for each history. Default: what participants show is checked. */
  readonly invariant?: Invariant<World, W>;
  /** The payload of each message that is sent where it is waited for, or a function that gives it. */
  readonly messages?: Payloads<W, World>;
  /** How many things go wrong in one history, at most: every set of so many is played. Default: 1. */
  readonly depth?: number;
  /** So many random histories more, in each of which three to five things go wrong. Others each time. Default: 0. */
  readonly random?: number;
  /** What never goes wrong. The report says that it was left out. */
  readonly without?: readonly FaultKind[];
  /** A version that may take over in the middle. */
  readonly next?: AnyWorkflow | ((world: World) => AnyWorkflow);
  /** Steps that this input does not come to, or whose undo it does not show in all situations. */
  readonly unreached?: readonly StepsOf<W>[];
  /** Where it ends at the latest; then the report says what was not covered. Default: it goes through all. */
  readonly budget?: { readonly histories?: number; readonly time?: Duration };
  /** Also changes the workflow for the worse, in each way of a list, and looks whether that is noticed. Default: false. */
  readonly mutants?: boolean;
  /** Plays only this history, as a counterexample names it. */
  readonly history?: readonly string[];
}

export interface Mutant {
  /** "the undo of charge does nothing". */
  readonly what: string;
  readonly isFound: boolean;
  /** How it was noticed. */
  readonly by?: string;
}

export interface ExploreReport extends SearchReport {
  /** What was left out on request. */
  readonly without: readonly FaultKind[];
  /** What became of each change for the worse. Left out: none was asked for. */
  readonly mutants?: readonly Mutant[];
  /** All of this as text. */
  readonly text: string;
}

/** The options without the types of the workflow, which the compiler has checked. */
type Untyped<World> = Omit<ExploreOptions<World>, "messages"> & {
  readonly messages?: Readonly<Record<string, unknown>>;
};

const optionNames = [
  ...["input", "world", "invariant", "messages", "depth", "random", "without", "next"],
  ...["unreached", "budget", "mutants", "history"],
];

/**
 * Plays every history of a workflow in which so many things go wrong: a call fails before its effect or after it, hangs, or has its
 * effect late; a process dies before or after each commit, or is taken for dead; the store's answer is lost; a message comes early,
 * twice, late or never; a rollback or a rewind is asked for at every point; an operator acts; another version takes over.
 *
 * It needs no test runner and takes no real time: everything happens on a virtual clock, with the memory store.
 *
 * @param workflow the workflow; or a function that makes it, given the world that its steps talk to
 * @throws (rejects) STEPWELL_COUNTEREXAMPLE an `ExploreError`, whose `counterexample` shows a history that breaks what is asked of it;
 * STEPWELL_EXPLORED_TOO_LITTLE where nothing is wrong, but not all of it was seen; STEPWELL_NOT_DETERMINISTIC where a history goes
 * differently the second time; STEPWELL_WRONG_STORE where a step is or gives back a store's transaction; STEPWELL_INVALID_ARGUMENT,
 * STEPWELL_UNKNOWN_OPTION; what a launch throws
 * @example
 * const report = await explore((bank: Participant) => orderWith(bank), {
 *   input: { sku: "book", amount: 20 },
 *   world: () => new Participant(),
 * });
 * console.log(report.text); // 212 of 212 histories, 0.4 s …
 */
export async function explore<W extends AnyWorkflow, World = undefined>(
  workflow: W | ((world: World) => W),
  options: ExploreOptions<World, W>,
): Promise<ExploreReport> {
  refuseUnknownOptions(options, optionNames, "explore");
  const untyped = options as unknown as Untyped<World>;
  const setting = settingOf(workflow, untyped);
  const limits = limitsOf(options);
  const { name } = setting.definition(setting.world());
  const search = new Search(name, setting, untyped.invariant, limits);
  if (options.history !== undefined) await search.only(options.history.map(readDeviation));
  else await search.all();
  const { counterexample } = search;
  if (counterexample !== undefined) throw ExploreError.of(counterexample, name);
  const report = search.report;
  const isWhole =
    options.history === undefined && report.notCovered === undefined && (options.without ?? []).length === 0;
  const missing = isWhole ? report.notReached.filter(({ step }) => !(untyped.unreached ?? []).includes(step)) : [];
  if (missing.length > 0) throw ExploreError.tooLittle(missing, name);
  const mutants = options.mutants === true ? await judged(setting, untyped, limits) : undefined;
  return {
    ...report,
    without: options.without ?? [],
    ...(mutants && { mutants }),
    text: textOf(report, options.without ?? [], mutants),
  };
}

/** Whether each change for the worse is noticed. */
async function judged<World>(
  setting: Setting<World>,
  options: Untyped<World>,
  limits: Limits,
): Promise<readonly Mutant[]> {
  const found: Mutant[] = [];
  const definition = setting.definition(setting.world());
  const limited = new Set(definition.steps.flatMap(({ name, timeout }) => (timeout === undefined ? [] : [name])));
  for (const { what, change } of mutantsOf(definition)) {
    const changed: Setting<World> = {
      ...setting,
      definition: (world) => change(setting.definition(world)),
      mayHang: ({ name }) => limited.has(name),
    };
    const search = new Search(what, changed, options.invariant, limits);
    await search.all();
    const by: Counterexample | undefined = search.counterexample;
    found.push({ what, isFound: by !== undefined, ...(by && { by: by.problems.join(" ") }) });
  }
  return found;
}

function settingOf<World>(
  workflow: AnyWorkflow | ((world: World) => AnyWorkflow),
  { input, world, messages = {}, without = [], next }: Untyped<World>,
): Setting<World> {
  for (const kind of without) {
    if (!faultKinds.includes(kind))
      throw invalidArgument(`explore: "without" knows ${faultKinds.join(", ")}, not ${shown(kind)}`);
  }
  const maker =
    (given: AnyWorkflow | ((world: World) => AnyWorkflow), what: string) =>
    (of: World): WorkflowDefinition =>
      definitionOf(typeof given === "function" ? given(of) : given, what);
  return {
    definition: maker(workflow, "What explore was given"),
    next: next === undefined ? undefined : maker(next, `explore: "next"`),
    input,
    world: world ?? ((): World => undefined as World),
    snapshot: snapshotOf,
    messages,
    isLeftOut: (fault) => without.includes(kindOf(fault)),
    mayHang: ({ timeout }) => timeout !== undefined,
  };
}

function textOf(report: SearchReport, without: readonly FaultKind[], mutants: readonly Mutant[] | undefined): string {
  const seconds = (report.milliseconds / 1000).toFixed(1);
  const lines = [
    `${count(report.histories)} of ${count(report.of)} histories, ${seconds} s, ${count(report.cut)} of them cut short.`,
  ];
  if (report.notCovered !== undefined) lines.push(`Not covered: ${report.notCovered}.`);
  if (without.length > 0) lines.push(`Left out: ${without.join(", ")}.`);
  for (const { step, situation } of report.notReached) lines.push(`Not seen: ${step}: ${situation}.`);
  if (mutants !== undefined) {
    const missed = mutants.filter(({ isFound }) => !isFound);
    lines.push(`${mutants.length - missed.length} of ${mutants.length} changes for the worse were noticed.`);
    for (const { what } of missed) lines.push(`Not noticed: ${what}.`);
  }
  return lines.join("\n");
}

function count(number: number): string {
  return number.toLocaleString("en");
}
