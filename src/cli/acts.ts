/** What operators do to one execution from a terminal. No workflow is needed, and no step runs here. */
import { previewText, StepwellError, type RollbackPreview } from "../index.js";
import type { Resolution } from "../index.js";
import { acting, asking, operateCodes, valueOf, type ActOptions, type OperateOptions } from "./asking.js";
import type { Screen } from "./screen.js";
import { clean, jsonLine } from "./text.js";

export interface RetryCommandOptions extends ActOptions {
  readonly reason?: string;
}

export function retry(id: string, options: RetryCommandOptions, screen: Screen): Promise<number> {
  return acting("retry", id, options, screen, async (execution, by) => {
    const patch = patchOf(options);
    await execution.retry({ by, ...patch, ...(options.reason !== undefined && { reason: options.reason }) });
    return `Execution "${id}" tries its step again as soon as a launcher takes it up.`;
  });
}

export function skip(id: string, reason: string, options: ActOptions, screen: Screen): Promise<number> {
  return acting(
    "skip",
    id,
    options,
    screen,
    async (execution, by) => {
      await execution.skip(reason, { by, ...patchOf(options) });
      return `Execution "${id}" takes its step as done and goes on as soon as a launcher takes it up.`;
    },
    `This takes the step at which "${id}" is stuck as done, though it is not: what it should have done must have been done by hand.`,
  );
}

export interface ResolveCommandOptions extends ActOptions {
  /** JSON, or `@` and the path of a file with it. */
  readonly happened?: string;
  readonly didNotHappen?: boolean;
}

export function resolve(id: string, reason: string, options: ResolveCommandOptions, screen: Screen): Promise<number> {
  const { happened, didNotHappen } = options;
  return acting(
    "resolve",
    id,
    options,
    screen,
    async (execution, by) => {
      // With both, or with neither, the call says what is wrong.
      const what = {
        ...(happened !== undefined && { happened: valueOf(happened, "--happened") }),
        ...(didNotHappen === true && { didNotHappen }),
      };
      await execution.resolve(what as Resolution, reason, { by });
      return `Execution "${id}" goes on with what you said as soon as a launcher takes it up.`;
    },
    `What you say of "${id}" is taken as it is: where it is wrong, work is done twice, or never undone.`,
  );
}

export interface RollbackCommandOptions extends ActOptions {
  readonly ifCompleted?: string;
  /** JSON, or `@` and the path of a file with it. */
  readonly details?: string;
  readonly ifRevision?: number;
  /** Only say what would be done. */
  readonly preview?: boolean;
  /** With `preview`: what a rewind to this step would do. */
  readonly to?: string;
}

export function rollback(
  id: string,
  reason: string | undefined,
  options: RollbackCommandOptions,
  screen: Screen,
): Promise<number> {
  if (options.preview === true) return previewed(id, options, screen);
  if (reason === undefined) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      "Say why it is rolled back; or give --preview, to see what would be done.",
    );
  }
  let seen: number | undefined;
  return acting(
    "rollback",
    id,
    options,
    screen,
    async (execution, by) => {
      const { ifCompleted, details, ifRevision = seen } = options;
      const answer = await execution.rollback(reason, {
        by,
        ...(ifCompleted !== undefined && { ifCompleted: ifCompleted as "undo" }),
        ...(details !== undefined && { details: valueOf(details, "--details") }),
        ...(ifRevision !== undefined && { ifRevision }),
      });
      if (!answer.accepted) throw answer.error;
      return `Execution "${id}" is being rolled back.`;
    },
    `This undoes everything that "${id}" has done, its last step first.`,
    async (execution) => {
      const preview = await execution.previewRollback();
      seen = preview.revision;
      screen.note(textOf(preview));
    },
  );
}

export interface RewindCommandOptions extends ActOptions {
  readonly to: string;
  readonly reason: string;
  readonly repeat?: readonly string[];
  readonly ifRevision?: number;
}

export function rewind(id: string, options: RewindCommandOptions, screen: Screen): Promise<number> {
  const { to, reason, repeat } = options;
  let seen: number | undefined;
  return acting(
    "rewind",
    id,
    options,
    screen,
    async (execution, by) => {
      const { ifRevision = seen } = options;
      const answer = await execution.rewind({
        ...{ to, reason, by },
        ...patchOf(options),
        ...(repeat !== undefined && { repeat }),
        ...(ifRevision !== undefined && { ifRevision }),
      });
      if (!answer.accepted) throw answer.error;
      return `Execution "${id}" goes back to step "${to}", and then up again from there.`;
    },
    `This undoes what "${id}" has done from step "${to}" on, its last step first, and does it again from there.`,
    async (execution) => {
      const preview = await execution.previewRollback({ to });
      seen = preview.revision;
      // Where steps to repeat were named, only the answer says whether all were: the preview's refusal is left out.
      const { error: _error, ...shown } = preview;
      screen.note(textOf(preview.refused === "would-repeat" && repeat !== undefined ? shown : preview));
    },
  );
}

/** Prints the preview alone: nothing is requested, so no confirmation is asked for. */
function previewed(id: string, options: RollbackCommandOptions, screen: Screen): Promise<number> {
  return asking(options, screen, async (client) => {
    const { to } = options;
    const preview = await client.execution(id).previewRollback(to === undefined ? {} : { to });
    screen.result(options.json === true ? jsonLine(preview) : textOf(preview));
    return preview.refused === undefined ? operateCodes.done : operateCodes.refused;
  });
}

function textOf(preview: RollbackPreview): string {
  return previewText(preview).split("\n").map(clean).join("\n");
}

export interface SendCommandOptions extends OperateOptions {
  readonly messageId?: string;
}

export function send(
  id: string,
  name: string,
  payload: string | undefined,
  options: SendCommandOptions,
  screen: Screen,
): Promise<number> {
  return asking(options, screen, async (client) => {
    const { messageId, json = false } = options;
    const value = payload === undefined ? null : valueOf(payload, "the payload");
    const sent = await client.send(id, name, value, messageId === undefined ? {} : { messageId });
    if (json) screen.result(jsonLine({ accepted: true, execution: id, ...sent }));
    else if (sent.duplicate) screen.result(clean(`The message had been sent to "${id}" before. Nothing was stored.`));
    else screen.result(clean(`Sent to "${id}", as message "${sent.id}".`));
  });
}

/** Merges fields into the state of a stuck execution, which stays stuck. */
export function patch(
  id: string,
  fields: string,
  reason: string,
  options: ActOptions,
  screen: Screen,
): Promise<number> {
  return acting("patch", id, options, screen, async (execution, by) => {
    await execution.patchState(valueOf(fields, "the patch") as object, reason, { by });
    return `The state of execution "${id}" was patched. It stays stuck: retry or skip goes on with it.`;
  });
}

export interface PublishCommandOptions extends OperateOptions {
  readonly messageId?: string;
  readonly keep?: string;
}

export function publish(
  topic: string,
  name: string,
  payload: string | undefined,
  options: PublishCommandOptions,
  screen: Screen,
): Promise<number> {
  return asking(options, screen, async (client) => {
    const { messageId, keep, json = false } = options;
    const value = payload === undefined ? null : valueOf(payload, "the payload");
    const published = await client.publish(topic, name, value, {
      ...(messageId !== undefined && { messageId }),
      ...(keep !== undefined && { keepFor: keep as `${number}s` }),
    });
    if (json) screen.result(jsonLine({ accepted: true, topic, ...published }));
    else if (published.duplicate)
      screen.result(clean(`It had been published to "${topic}" before. Nothing was stored.`));
    else screen.result(clean(`Published to "${topic}": ${published.delivered} executions have it by now.`));
  });
}

function patchOf({ patch }: ActOptions): { patch?: object } {
  return patch === undefined ? {} : { patch: valueOf(patch, "--patch") as object };
}
