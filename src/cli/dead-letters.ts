/** `stepwell dead-letters`: messages that no step took, of all executions of a store. */
import Table from "cli-table3";
import { deadLettersIn, type DeadLetter, type LetterConditions } from "../index.js";
import type { Screen } from "./screen.js";
import { existingStoreOn } from "./store.js";
import { clean, jsonLine } from "./text.js";

export interface ShowLettersOptions extends LetterConditions {
  readonly store: string;
  readonly schema?: string;
  readonly limit?: number;
  readonly count?: boolean;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** The largest page of `list`. */
const largestPage = 1000;

/** Works without a launcher, so that no execution is taken up. @throws StepwellError */
export async function showDeadLetters(options: ShowLettersOptions, screen: Screen): Promise<void> {
  const { workflow, execution, name, limit = 100, count = false, json = false } = options;
  const conditions = {
    ...(workflow !== undefined && { workflow }),
    ...(execution !== undefined && { execution }),
    ...(name !== undefined && { name }),
  };
  const store = await existingStoreOn(options.store, options.schema);
  await store.open();
  try {
    const dead = deadLettersIn(store);
    if (count) {
      const { count: deadLetters, more } = await dead.count(conditions);
      screen.result(json ? JSON.stringify({ deadLetters, more }) : `${deadLetters}${more ? " or more" : ""}`);
      return;
    }
    const letters: DeadLetter[] = [];
    let after: string | undefined;
    do {
      const more = Math.min(limit - letters.length, largestPage);
      const page = await dead.list({ ...conditions, limit: more, ...(after !== undefined && { after }) });
      letters.push(...page.letters);
      after = page.cursor ?? undefined;
    } while (after !== undefined && letters.length < limit);
    if (json) for (const letter of letters) screen.result(jsonLine(letter));
    else screen.result(letters.length === 0 ? "No dead letters." : table(letters));
    if (after !== undefined) screen.note(`There are more than ${letters.length}. Show more of them with --limit.`);
  } finally {
    await store.close();
  }
}

function table(letters: readonly DeadLetter[]): string {
  // Without colours: this may go into a file.
  const shown = new Table({
    head: ["received", "workflow", "execution", "id", "name", "step"],
    style: { head: [], border: [] },
  });
  shown.push(
    ...letters.map(({ receivedAt, workflow, execution, id, name, step = "" }) =>
      [receivedAt.toISOString(), workflow, execution, id, name, step].map(clean),
    ),
  );
  return shown.toString();
}
