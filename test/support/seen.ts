/** Executions as the desk sees them: driven on a memory store whose clock is virtual. */
import { onTestFinished } from "vitest";
import { Launcher, memoryStore, type AnyWorkflow, type Execution } from "../../src/index.js";
import { lanesOf, type LaneRow } from "../../src/desk/model/lanes.js";
import { timelineOf, type TimelineEntry } from "../../src/desk/model/timeline.js";
import { wordsOf, type Words } from "../../src/desk/model/words.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";

export interface Seen {
  readonly rows: readonly LaneRow[];
  readonly words: Words;
  readonly timeline: readonly TimelineEntry[];
}

export interface Scene {
  readonly clock: VirtualClock;
  readonly launcher: Launcher;
  /** Launches one execution, and lets it go as far as it goes by itself. */
  readonly launch: (workflow: AnyWorkflow, input?: object) => Promise<Execution>;
}

export async function scene(workflows: readonly AnyWorkflow[]): Promise<Scene> {
  const clock = new VirtualClock();
  const launcher = new Launcher({ store: memoryStore({ clock }), workflows, onError: () => undefined });
  await launcher.start();
  onTestFinished(() => launcher.stop());
  return {
    clock,
    launcher,
    launch: async (workflow, input = {}) => {
      const execution = await launcher.launch(workflow, input, { id: "e" });
      await clock.advance(0);
      return execution;
    },
  };
}

export async function seen(execution: Execution, clock: VirtualClock): Promise<Seen> {
  const facts = await execution.details();
  const history = await execution.history();
  const lanes = lanesOf(facts, history);
  return { rows: lanes.rounds.at(-1)!.rows, words: wordsOf(facts, lanes, clock.now()), timeline: timelineOf(history) };
}

/** `charge: done / undone`, a line for each step. */
export function marks(rows: readonly LaneRow[]): string[] {
  return rows.map(
    ({ step, up, down, here, pastPivot }) =>
      `${step}: ${up.mark} / ${down.mark}${here ? ", here" : ""}${pastPivot ? ", past the pivot" : ""}`,
  );
}
