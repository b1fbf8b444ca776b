/** Rows that somebody has damaged: each concerns its execution alone, and the engine goes on. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { pause, workflow } from "../../src/index.js";
import { onEverySqlStore } from "../support/rig.js";
import { anyText, fuzzRuns, fuzzTime } from "../support/fuzz.js";

const booking = workflow("booking", { input: z.object({}) })
  .step("reserve", {
    run: () => pause(),
    messages: { go: z.null() },
    onMessage: () => ({ at: new Date(0) }),
    rollback: () => ({}),
  })
  .step("book", { run: () => ({ booked: true }) });

const columns = [
  "position",
  "tags",
  "status",
  "state",
  "input",
  "admission",
  "carried",
  "fingerprint",
  "workflow",
  "version",
];
const jsonLike = fc.oneof(
  fc.json({ maxDepth: 2 }),
  fc.json({ maxDepth: 2 }).map((text) => `~${text}`),
  fc.constantFrom(
    "null",
    "[]",
    "{}",
    '"x"',
    "1",
    "~[1]",
    '~[{"a":0}]',
    '{"step":"reserve"}',
    '{"direction":"up","stepIndex":-1}',
  ),
);
/** No database takes a zero byte or half a surrogate pair. */
const garbage = fc.oneof(anyText, jsonLike).map((it) => it.replaceAll("\0", "").toWellFormed());
const damage = fc.record({ column: fc.constantFrom(...columns), value: garbage });

onEverySqlStore("damaged rows", (start) => {
  test(
    "are parked or refused with a code, whatever they hold, and all others complete",
    async () => {
      const each = 12;
      const { numRuns } = fuzzRuns(2);
      await fc.assert(
        fc.asyncProperty(fc.array(damage, { minLength: each, maxLength: each }), async (damages) => {
          const { launcher, clock, errors, sql, store } = await start([booking]);
          const ids = Array.from({ length: each * 2 }, (_, index) => `e${index}`);
          await launcher.launchMany(
            booking,
            ids.map((id) => ({ input: {}, id })),
          );
          await clock.settle();
          for (const [index, { column, value }] of damages.entries()) {
            const text = value.replaceAll("'", "''");
            // What the table itself refuses is no damage.
            await sql(`UPDATE stepwell_executions SET ${column} = '${text}' WHERE id = 'e${index * 2}'`).catch(
              () => undefined,
            );
          }
          for (const id of ids)
            await launcher.send(id, "go", null).catch((error: unknown) => expect(error).toHaveProperty("code"));
          await clock.advance("10s");
          for (const { code } of errors) expect(code).toMatch(/^STEPWELL_/);
          for (const [index, id] of ids.entries()) {
            if (index % 2 === 0) continue;
            const [standing] = await store.load([id], "standing");
            expect(standing?.status, `${id} beside damaged rows`).toBe("completed");
          }
          const { executions, damaged } = await launcher.list({ limit: 100 });
          expect(executions.length + damaged.length).toBe(ids.length);
          await launcher.stop();
        }),
        { numRuns, endOnFailure: true },
      );
    },
    fuzzTime,
  );
});
