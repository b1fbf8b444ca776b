/** `stepwell resend`: a message that no step took, sent again. */
import { deadLettersIn, StepwellError, type AnyWorkflow, type Store } from "../index.js";
import { byOf } from "./asking.js";
import { loadWorkflows } from "./load-workflow.js";
import type { Screen } from "./screen.js";
import { existingStoreOn } from "./store.js";
import { clean, jsonLine } from "./text.js";

export interface ResendCommandOptions {
  readonly store: string;
  readonly schema?: string;
  readonly to?: string;
  readonly as?: string;
  readonly by?: string;
  /** A module with the workflow of the execution that gets the message: then the message is checked. */
  readonly module?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Works without a launcher, so that no execution is taken up. @throws StepwellError: nothing was sent */
export async function resend(
  execution: string,
  id: string,
  options: ResendCommandOptions,
  screen: Screen,
): Promise<void> {
  const { schema, to = execution, as, module, json = false } = options;
  const workflows = module === undefined ? undefined : await loadWorkflows(module);
  const store = await existingStoreOn(options.store, schema);
  await store.open();
  try {
    if (workflows !== undefined) await mustKnow(workflows, module!, to, store);
    const sent = await deadLettersIn(store, workflows === undefined ? {} : { workflows }).resend(
      { execution, id },
      { to, by: byOf(options), ...(as !== undefined && { as }) },
    );
    if (json) screen.result(jsonLine({ ...sent, to }));
    else if (sent.duplicate)
      screen.result(clean(`The message had been sent again to "${to}" before. Nothing was stored.`));
    else screen.result(clean(`Sent again to "${to}", as message "${sent.id}".`));
  } finally {
    await store.close();
  }
}

/** A module is given to have the message checked: without its workflow the message would go unchecked, in silence. */
async function mustKnow(workflows: readonly AnyWorkflow[], module: string, to: string, store: Store): Promise<void> {
  const [target] = await store.load([to]);
  // An execution that does not exist is refused by `resend`.
  if (target === undefined) return;
  const { workflow, version } = target;
  if (workflows.some((it) => it.name === workflow && it.version === version)) return;
  throw new StepwellError(
    "STEPWELL_UNKNOWN_WORKFLOW",
    `The module ${JSON.stringify(module)} exports no workflow "${workflow}" version "${version}", as execution "${to}" has it. ` +
      `Nothing was sent. Give the module that has it, or leave out --module to send the message unchecked.`,
    { execution: to, workflow },
  );
}
