import { runInNewContext } from "node:vm";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { expect, test } from "vitest";
import { validate } from "./schema.js";

/** A schema that answers by what the function gives. */
function schemaOf(answer: () => unknown): StandardSchemaV1 {
  return { "~standard": { version: 1, vendor: "test", validate: answer as never } };
}

/** As of a library that was loaded into another realm, or has promises of its own. */
const ForeignPromise = runInNewContext("Promise") as PromiseConstructor;

test("an answer that comes by a promise of another kind is waited for, as any", async () => {
  const refusing = schemaOf(() => ForeignPromise.resolve({ issues: [{ message: "too small" }] }));
  expect(await validate(refusing, 1)).toEqual({ ok: false, problem: "too small" });
  const taking = schemaOf(() => ForeignPromise.resolve({ value: 2 }));
  expect(await validate(taking, 1)).toEqual({ ok: true, value: 2 });
  const failing = schemaOf(() => ForeignPromise.reject(new Error("no")));
  expect(await validate(failing, 1)).toEqual({ ok: false, problem: "the schema threw: no" });
});

test("an answer that says nothing refuses, at once or later", async () => {
  const refused = { ok: false, problem: expect.stringContaining("the schema threw") };
  expect(
    await validate(
      schemaOf(() => undefined),
      1,
    ),
  ).toEqual(refused);
  expect(
    await validate(
      schemaOf(async () => undefined),
      1,
    ),
  ).toEqual(refused);
});
