import { expect, test } from "vitest";
import { StepwellError } from "../../errors.js";
import { Together } from "./together.js";

/** What is read: the keys of each statement, and for each key its length. */
function reads(fails: (keys: readonly string[]) => Error | undefined = () => undefined) {
  const statements: (readonly string[])[] = [];
  const together = new Together(async (keys) => {
    statements.push(keys);
    const error = fails(keys);
    if (error !== undefined) throw error;
    return keys.map(({ length }) => length);
  });
  return { statements, together };
}

test("what is read in one moment is one statement, and each gets what it asked for", async () => {
  const { statements, together } = reads();
  const asked = [["a"], ["bb", "ccc"], [], ["a"]].map((keys) => together.read(keys));
  expect(await Promise.all(asked)).toEqual([[1], [2, 3], [], [1]]);
  expect(statements).toEqual([["a", "bb", "ccc", "a"]]);
  expect(await together.read(["dd"])).toEqual([2]);
  expect(statements).toHaveLength(2);
});

test("very many are several statements, and who asks for very many is not cut in two", async () => {
  const { statements, together } = reads();
  const many = Array.from({ length: 2_000 }, () => "x");
  const asked = [...many.slice(0, 600).map((key) => together.read([key])), together.read(many)];
  expect((await Promise.all(asked)).flat()).toHaveLength(2_600);
  expect(statements.map(({ length }) => length)).toEqual([512, 88, 2_000]);
});

test("what can't be read of one fails for that one alone", async () => {
  const { together } = reads((keys) => (keys.includes("bad") ? new Error("damaged") : undefined));
  const asked = await Promise.allSettled([["a"], ["bad"], ["cc"]].map((keys) => together.read(keys)));
  expect(asked).toMatchObject([{ value: [1] }, { reason: { message: "damaged" } }, { value: [2] }]);
});

test("a store that is away is asked once for all, and not for each", async () => {
  const away = new StepwellError("STEPWELL_STORE_UNREACHABLE", "away", { retryable: true });
  const { statements, together } = reads(() => away);
  const asked = await Promise.allSettled([["a"], ["b"]].map((keys) => together.read(keys)));
  expect(asked).toEqual([away, away].map((reason) => ({ status: "rejected", reason })));
  expect(statements).toHaveLength(1);
});
