/** The lines of an input file, as launches; checked as a whole before the first one is launched. */
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { Launcher, memoryStore, StepwellError, type AnyWorkflow } from "../index.js";
import { messageOf } from "./text.js";

export interface InputLine {
  readonly number: number;
  /** The id of its execution. */
  readonly id: string;
  readonly input: object;
}

/**
 * Reads the file line by line, so its size does not matter; blank lines are skipped. The id of a line
 * is what its field `idField` holds, else the file's name and the line's number: `orders.jsonl:17`.
 *
 * @throws STEPWELL_INVALID_LINE with the number; STEPWELL_INVALID_ARGUMENT for a file that can't be read
 */
export async function* linesOf(file: string, idField?: string): AsyncGenerator<InputLine> {
  let number = 0;
  for await (const bytes of rawLines(file)) {
    number++;
    const text = decoded(bytes, file, number);
    if (text.trim() === "") continue;
    const input = parsed(text, file, number);
    yield {
      number,
      input,
      id: idField === undefined ? `${basename(file)}:${number}` : idOf(input, idField, file, number),
    };
  }
}

/** Reads Latin-1, one character for each byte: so a line break is never part of another character, and U+2028 is no line break. */
async function* rawLines(file: string): AsyncGenerator<string> {
  let rest = "";
  try {
    for await (const chunk of createReadStream(file, "latin1")) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
  } catch (cause) {
    const message = `The input file ${JSON.stringify(file)} can't be read: ${messageOf(cause)}`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message, { cause });
  }
  yield rest;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decoded(bytes: string, file: string, number: number): string {
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"));
  } catch (cause) {
    throw invalid(file, number, "is not UTF-8 text. Save the file in that encoding.", cause);
  }
}

function parsed(text: string, file: string, number: number): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, number, `is not JSON: ${messageOf(cause)}`, cause);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw invalid(file, number, `must be a JSON object: the input of one execution.`);
}

function idOf(input: object, field: string, file: string, number: number): string {
  const value: unknown = Object.hasOwn(input, field) ? input[field as keyof typeof input] : undefined;
  if ((typeof value === "string" && value !== "") || Number.isSafeInteger(value)) return String(value);
  throw invalid(
    file,
    number,
    `has no usable id: its field ${JSON.stringify(field)} must hold a text or a whole number.`,
  );
}

/** After so many lines the rehearsal begins with a new store, so that a longer file needs no more memory. */
const rehearsed = 1_000;

/**
 * Checks every line as a launch would be checked, and counts them.
 *
 * @throws STEPWELL_INVALID_LINE for the first line that is not usable
 */
export async function checkLines(workflow: AnyWorkflow, file: string, idField?: string): Promise<number> {
  const firstWith = new Map<string, number>();
  let count = 0;
  let rehearsal: Launcher | undefined;
  try {
    for await (const line of linesOf(file, idField)) {
      // Ids that are made from the line's number differ anyway.
      if (idField !== undefined) refuseSecond(line, firstWith, file);
      if (count++ % rehearsed === 0) {
        await rehearsal?.stop();
        rehearsal = new Launcher({ store: memoryStore(), workflows: [workflow] });
        await rehearsal.start();
      }
      await rehearse(rehearsal!, workflow, line, file);
    }
  } finally {
    await rehearsal?.stop();
  }
  return count;
}

/** A launch that begins tomorrow, in a store that is dropped before: everything is checked, and no step runs. */
async function rehearse(launcher: Launcher, workflow: AnyWorkflow, line: InputLine, file: string): Promise<void> {
  try {
    await launcher.launch(workflow, line.input, { id: line.id, delay: "1d" });
  } catch (cause) {
    throw invalid(file, line.number, `can't be launched: ${messageOf(cause)}`, cause);
  }
}

function refuseSecond({ id, number }: InputLine, firstWith: Map<string, number>, file: string): void {
  const first = firstWith.get(id);
  if (first !== undefined) {
    throw invalid(file, number, `has the id ${JSON.stringify(id)}, as line ${first} has. Each line needs its own.`);
  }
  firstWith.set(id, number);
}

function invalid(file: string, number: number, what: string, cause?: unknown): StepwellError {
  return new StepwellError("STEPWELL_INVALID_LINE", `${file}, line ${number} ${what}`, { cause });
}
