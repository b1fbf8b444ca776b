import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { postgresUrl } from "../../../test/support/postgres.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";

let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client(postgresUrl());
  await client.connect();
});
afterAll(() => client.end());

async function readBack(type: string, array: Buffer): Promise<unknown> {
  const { rows } = await client.query<{ readonly back: string }>(`SELECT array_to_json($1::${type}[])::text AS back`, [
    array,
  ]);
  return JSON.parse(rows[0]!.back);
}

test("texts, with nulls, come back from the server as they were", async () => {
  const text = fc.string({ unit: "grapheme" }).filter((it) => !it.includes("\0"));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(text)), async (values) => {
      expect(await readBack("text", textArray(values))).toEqual(values);
    }),
  );
});

test("so do numbers", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(fc.integer())),
      fc.array(fc.option(fc.double({ noDefaultInfinity: true, noNaN: true }).filter((it) => !Object.is(it, -0)))),
      async (integers, doubles) => {
        expect(await readBack("integer", integerArray(integers))).toEqual(integers);
        expect(await readBack("float8", doubleArray(doubles))).toEqual(doubles);
      },
    ),
  );
});

test("large ones too, and the small ones after them", async () => {
  const large = ["ä".repeat(5_000_000), "", "🦆".repeat(1_000)];
  expect(await readBack("text", textArray(large))).toEqual(large);
  expect(await readBack("text", textArray(["a", null]))).toEqual(["a", null]);
});
