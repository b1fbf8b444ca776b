/**
 * An operator's patch may touch fields that came from the launch's input. They are checked by the input's schema, as
 * they were then. A schema can't be asked which fields it has (Standard Schema only validates), so that is found out
 * by validating.
 */
import { encode } from "../values/encode.js";
import { validate, type Checked } from "../definition/schema.js";
import { StepwellError } from "../errors.js";
import type { ExecutionRecord, HistoryRecord } from "../execution/records.js";
import type { Registered } from "../session/registry.js";

type Fields = Readonly<Record<string, unknown>>;

/**
 * The patch, with the schema's output for the fields that are the input's. A field that a step has given since is the
 * step's own, whatever the input called so: it is left as it is.
 *
 * @throws STEPWELL_INVALID_PATCH
 */
export async function checkedByInput(
  patch: object,
  record: ExecutionRecord,
  history: readonly HistoryRecord[],
  { definition }: Registered,
): Promise<object> {
  const check = async (fields: Fields): Promise<Checked> => validate(definition.input, { ...input, ...fields });
  // A migration has made a state of its own of the input; where that does not do as one, nothing is the input's any more.
  const migrated = history.findLastIndex(({ replaced }) => replaced !== undefined);
  const input = (history[migrated]?.replaced ?? record.input).value as Fields;
  const since = history.slice(migrated + 1);
  const given = new Set(since.flatMap((row) => (row.patch === null ? [] : Object.keys(row.patch.value as object))));
  const asLaunched = await check({});
  if (migrated >= 0 && !asLaunched.ok) return patch;
  const mine: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(patch)) {
    if (!given.has(name) && (await isOfInput(name, value, input, asLaunched, check))) mine[name] = value;
  }
  if (Object.keys(mine).length === 0) return patch;
  const checked = await check(mine);
  if (!checked.ok) {
    throw new StepwellError(
      "STEPWELL_INVALID_PATCH",
      `The state of execution "${record.id}" was not patched: the input's schema of workflow "${record.workflow}" refuses it. ${checked.problem}`,
      { execution: record.id, workflow: record.workflow, step: record.position.step },
    );
  }
  const output = checked.value as Fields;
  const names = Object.keys(mine).filter((name) => Object.hasOwn(output, name));
  return { ...patch, ...Object.fromEntries(names.map((name) => [name, output[name]])) };
}

/** Whether the schema knows a field of this name: it was launched with it, or its value makes a difference. */
async function isOfInput(
  name: string,
  value: unknown,
  input: Fields,
  asLaunched: Checked,
  check: (fields: Fields) => Promise<Checked>,
): Promise<boolean> {
  if (Object.hasOwn(input, name)) return true;
  if (!asLaunched.ok) return false;
  const changed = await check({ [name]: value });
  // Refused: for the value, where the field may be left open; for the name, where it may not.
  if (!changed.ok) return (await check({ [name]: undefined })).ok;
  const [before, after] = [asLaunched.value as Fields, changed.value as Fields];
  if (!Object.hasOwn(after, name)) return false;
  return !Object.hasOwn(before, name) || !isSame(before[name], after[name]);
}

function isSame(one: unknown, other: unknown): boolean {
  const what = { what: "A field" };
  return encode({ value: one }, what).equals(encode({ value: other }, what));
}
