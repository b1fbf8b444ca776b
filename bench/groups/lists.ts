/** The slowest list page, or count, that the public API offers with a million executions. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import type { Launcher, Store } from "stepwell";
import { median, type Figure } from "../figures.js";
import { timed } from "../support/load.js";
import { askable, type Question } from "../support/questions.js";
import { launcherFor, withMillion } from "../support/population.js";

/** A page or a count should be there before anybody notices. */
const bound = 20;
/** What takes so long is not asked again. */
const hopeless = 500;

export function lists(): Promise<Figure[]> {
  return withMillion((name, newStore) => measured(`list.${name}`, newStore()));
}

interface Asked {
  readonly name: string;
  readonly milliseconds: number;
  /** The code of the error that was the answer. */
  readonly refusal: string | undefined;
}

/** Each question three times, where it is not far too slow; what counts is the median. */
async function measured(name: string, store: Store): Promise<Figure> {
  const launcher = await launcherFor(store);
  // What the start itself does is over.
  await setTimeout(2_000);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const asked: Asked[] = [];
  for (const question of await askable(launcher)) asked.push(await ask(launcher, question));
  delay.disable();
  await launcher.stop();
  const slowest = asked.toSorted((one, other) => other.milliseconds - one.milliseconds);
  const refused = asked.filter(({ refusal }) => refusal !== undefined);
  return {
    name,
    value: slowest[0]!.milliseconds,
    unit: "ms (slowest)",
    note: slowest[0]!.name,
    extra: {
      slowest: slowest[0]!.name,
      next: slowest
        .slice(1, 6)
        .map((it) => `${it.name}: ${it.milliseconds.toFixed(1)} ms`)
        .join("; "),
      asked: asked.length,
      over: asked.filter(({ milliseconds }) => milliseconds > bound).length,
      median: median(asked.map(({ milliseconds }) => milliseconds)),
      blocked: delay.max / 1e6,
      refusals: refused.length,
      refused: refused.map(({ name, refusal }) => `${name}: ${refusal}`).join("; "),
    },
  };
}

async function ask(launcher: Launcher, { name, ask }: Question): Promise<Asked> {
  const times: number[] = [];
  let refusal: string | undefined;
  for (let turn = 0; turn < 3; turn++) {
    const attempt = async (): Promise<void> => {
      try {
        await ask(launcher);
      } catch (error) {
        refusal = (error as { readonly code?: string }).code;
        // What has no code is no answer.
        if (refusal?.startsWith("STEPWELL_") !== true) throw error;
      }
    };
    times.push(await timed(attempt));
    await setTimeout(0);
    if (times[0]! > hopeless) break;
  }
  return { name, milliseconds: median(times), refusal };
}
