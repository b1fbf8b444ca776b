/** `stepwell dead-letters`: messages that no step took, of all executions of a store. */
import { existsSync } from "node:fs";
import Table from "cli-table3";
import { StepwellError, type DeadLetter, type LetterConditions, type Store } from "../index.js";
import type { Screen } from "./screen.js";
import { isPostgres, storeOn } from "./store.js";
import { clean } from "./text.js";

export interface DeadLettersOptions extends LetterConditions {
  readonly schema?: string;
  readonly limit?: number;
  readonly count?: boolean;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Reads the store without a launcher, so that nothing is taken up. @throws StepwellError */
export async function showDeadLetters(place: string, options: DeadLettersOptions, screen: Screen): Promise<void> {
  const { schema, workflow, execution, name, limit = 100, count = false, json = false } = options;
  // Opened, it would be made.
  if (!isPostgres(place) && !existsSync(place)) {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `There is no SQLite file ${JSON.stringify(place)}.`);
  }
  const store = storeOn(place, schema);
  await store.open();
  try {
    if (count) {
      const found = await store.countDeadLetters({ workflow, execution, name });
      screen.result(json ? JSON.stringify({ deadLetters: found }) : String(found));
      return;
    }
    const { records, cursor } = await store.deadLetters({ workflow, execution, name, limit });
    const letters = records.map(letterOf);
    if (json) for (const letter of letters) screen.result(JSON.stringify(letter, plain));
    else screen.result(letters.length === 0 ? "No dead letters." : table(letters));
    if (cursor !== null) screen.note(`There are more than ${letters.length}. Show more of them with --limit.`);
  } finally {
    await store.close();
  }
}

type LetterRecord = Awaited<ReturnType<Store["deadLetters"]>>["records"][number];

function letterOf({ execution, workflow, id, messageId, ...row }: LetterRecord): DeadLetter {
  return {
    execution,
    workflow,
    id: messageId ?? id,
    name: row.name,
    payload: row.payload.value,
    receivedAt: new Date(row.receivedAt),
    ...(row.step !== null && { step: row.step }),
    ...(row.topic !== null && { topic: row.topic }),
  };
}

/** What a payload may hold and JSON has no form for. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Map || value instanceof Set ? [...(value as Iterable<unknown>)] : value;
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
