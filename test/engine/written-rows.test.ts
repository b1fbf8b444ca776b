/** What the row of an execution holds, beside its history: it is written with each transition, so it holds nothing twice. */
import { expect, test } from "vitest";
import { z } from "zod";
import { workflow } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { onEverySqlStore, onEveryStore } from "../support/rig.js";

const message = "no carrier goes there";

interface Undo {
  readonly attempt: number;
}

onEverySqlStore("the row of an execution on its way down", (start) => {
  test("refers to the error in the history, also after another launcher has taken it over", async () => {
    const stored: string[] = [];
    let look: () => Promise<void>;
    let hangs = false;
    const hang = (): Promise<never> => {
      hangs = true;
      return new Promise(() => undefined);
    };
    const step = { run: () => undefined, rollback: async (): Promise<void> => look() };
    const undone = workflow("undone", { input: z.object({}) })
      .step("a", step)
      .step("b", step)
      .step("c", {
        run: () => undefined,
        rollback: ({ attempt }: Undo) => (attempt === 1 ? hang() : look()),
      })
      .step("d", step)
      .step("e", {
        run: () => {
          throw new Error(message);
        },
      });
    // Its time stands still, as if a debugger had stopped it, when it undoes the third step.
    const own = new VirtualClock();
    const { launcher, another, clock, sql } = await start([undone], { clock: own, abortGrace: 1 });
    look = async () => {
      const [row] = await sql("SELECT position FROM stepwell_executions");
      stored.push((row as { readonly position: string }).position);
    };
    const execution = await launcher.launch(undone, {});
    await expect.poll(() => hangs).toBe(true);
    const second = await another();
    const passed = async (): Promise<number> => {
      await clock.advance("5s");
      return stored.length;
    };
    await expect.poll(passed, { timeout: 30_000 }).toBe(4);
    expect(await second.execution(execution.id).outcome()).toMatchObject({ status: "rolledBack", error: { message } });
    await look();
    expect(stored).toHaveLength(5);
    for (const position of stored) {
      expect(position).toContain('"errorAt":5');
      expect(position).not.toMatch(/carrier|stack|written-rows/);
    }
  });
});

/** Each column that an index of the executions names, in its keys, its expressions or its condition. */
const indexedColumns = `
SELECT DISTINCT a.attname::text AS name FROM pg_index AS i
JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum > 0 AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (
  SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
WHERE i.indrelid = (SELECT tableoid FROM stepwell_executions LIMIT 1) ORDER BY 1`;

onEveryStore(
  "the row of an ordinary execution",
  (start) => {
    test("has the same in all columns that indexes name, from its first step to its end", async () => {
      const seen: unknown[] = [];
      let look: () => Promise<void>;
      const step = { run: async (): Promise<void> => look() };
      const three = workflow("three", { input: z.object({}) })
        .step("a", step)
        .step("b", step)
        .step("c", step);
      const { launcher, sql } = await start([three]);
      let columns: readonly string[] = [];
      look = async () => {
        columns = ((await sql(indexedColumns)) as readonly { readonly name: string }[]).map(({ name }) => name);
        seen.push(...(await sql(`SELECT revision, ${columns.join(", ")} FROM stepwell_executions`)));
      };
      expect((await (await launcher.launch(three, {})).outcome()).status).toBe("completed");
      await look();
      expect(columns).toEqual(expect.arrayContaining(["created_at", "due_at", "id", "line", "shelf", "workflow"]));
      const [first, ...later] = seen as readonly object[];
      expect(later).toEqual([1, 2, 3].map((revision) => ({ ...first, revision })));
    });
  },
  ["postgres"],
);
