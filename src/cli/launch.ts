/** `stepwell launch`: one execution, for launchers that run elsewhere. */
import { asking, valueOf, type OperateOptions } from "./asking.js";
import { loadWorkflow } from "./load-workflow.js";
import type { Screen } from "./screen.js";
import { clean, jsonLine } from "./text.js";

export interface LaunchCommandOptions extends OperateOptions {
  readonly workflow?: string;
  readonly id?: string;
  readonly tag?: string[];
  readonly delay?: string;
}

export async function launch(
  module: string,
  input: string | undefined,
  options: LaunchCommandOptions,
  screen: Screen,
): Promise<number> {
  const { workflow } = await loadWorkflow(module, options.workflow);
  return asking(options, screen, async (client) => {
    const { id, tag, delay, json = false } = options;
    const execution = await client.launch(workflow, input === undefined ? {} : valueOf(input, "the input"), {
      ...(id !== undefined && { id }),
      ...(tag !== undefined && { tags: tag }),
      ...(delay !== undefined && { delay: delay as `${number}s` }),
    });
    if (json) screen.result(jsonLine({ accepted: true, execution: execution.id, workflow: workflow.name }));
    else screen.result(clean(`Execution "${execution.id}" of workflow "${workflow.name}" is stored.`));
  });
}
