/** What may go wrong in the histories that the model of the lease and commit protocol is checked over, and how it is made wrong. */
import type { Macros } from "./spin.js";

const nothing = { DEATHS: 0, MISTAKES: 0, LOSSES: 0, LEAVES: 0, MESSAGES: 1, WAKES: 1 };

/** Together they have each pair of faults; with two launchers each takes some seconds. */
export const scenes: Readonly<Record<string, Macros>> = {
  "a process dies, and a launcher that lives is taken for dead": { ...nothing, DEATHS: 1, MISTAKES: 1, MESSAGES: 2 },
  "launchers that live are taken for dead, twice": { ...nothing, MISTAKES: 2, MESSAGES: 2 },
  "a launcher that lives is taken for dead, and an answer is lost": { ...nothing, MISTAKES: 1, LOSSES: 1, MESSAGES: 2 },
  "a launcher that lives is taken for dead, and two answers are lost": { ...nothing, MISTAKES: 1, LOSSES: 2 },
  "a process dies, and two answers are lost": { ...nothing, DEATHS: 1, LOSSES: 2 },
  "three answers are lost": { ...nothing, LOSSES: 3, MESSAGES: 2, WAKES: 2 },
  "two processes die, and one leaves": { ...nothing, DEATHS: 2, LEAVES: 1 },
};

/** Each takes one rule of the protocol away. `HARM`: the rule itself is no assertion then, only what comes of it. */
export const mutants: Readonly<Record<string, Macros>> = {
  "without the fence": { NO_FENCE: true, HARM: true },
  "without the owner in the fence": { NO_OWNER: true, HARM: true },
  "without the revision in the fence": { NO_REVISION: true, HARM: true },
  "without the signals in the fence": { NO_SIGNALS: true, HARM: true },
  "without the history's word on what is asked again": { NO_MEMORY: true },
  "without tickets for what an unanswered call took": { NO_TICKETS: true },
  "without a second burial of what was locked": { NO_STRAYS: true },
  "where a claim does not ask whether its launcher is registered": { NO_ALIVE: true },
  "where a launcher that was buried keeps its number": { SAME_NUMBERS: true },
};

/** The faults that the mutants meet. */
export const trouble: Macros = { DEATHS: 1, MISTAKES: 1, LOSSES: 2, LEAVES: 0, MESSAGES: 1, WAKES: 2 };
