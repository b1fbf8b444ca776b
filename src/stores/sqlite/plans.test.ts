/** With a million rows a scan takes a second, and a small test would not notice. */
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../testing/virtual-clock.js";
import { storeContract } from "../../testing/store-contract/index.js";
import { drivers, type Driver } from "./driver.js";
import { sqliteStoreOn } from "./sqlite-store.js";

/** As the driver, but remembers what it was asked. */
function recording(driver: Driver, texts: Set<string>): Driver {
  return {
    name: driver.name,
    connect(path) {
      const connection = driver.connect(path);
      return {
        exec: (sql) => connection.exec(sql),
        prepare(sql) {
          if (/^\s*(WITH|SELECT|INSERT|UPDATE|DELETE)[^]*stepwell_/.test(sql)) texts.add(sql);
          return connection.prepare(sql);
        },
        close: () => connection.close(),
      };
    },
  };
}

/** Every statement that the store has, as its conformance suite uses it, with SQLite's plan for it. */
async function plans(driver: Driver): Promise<Map<string, string>> {
  const texts = new Set<string>();
  for (const { run } of storeContract) {
    await run((clock) => sqliteStoreOn(":memory:", clock, "full", () => recording(driver, texts)));
  }
  const clock = new VirtualClock();
  const connections: ReturnType<Driver["connect"]>[] = [];
  const keeping: Driver = {
    name: driver.name,
    connect: (path) => connections[connections.push(driver.connect(path)) - 1]!,
  };
  const store = sqliteStoreOn(":memory:", clock, "full", () => keeping);
  store.open();
  const found = new Map<string, string>();
  for (const text of texts) {
    const rows = connections.at(-1)!.prepare(`EXPLAIN QUERY PLAN ${text}`).all() as { readonly detail: string }[];
    found.set(text, rows.map(({ detail }) => detail).join("; "));
  }
  store.close();
  return found;
}

describe.each([...drivers()])("the statements of the SQLite store, through $name", (driver) => {
  test("never read a whole table of executions, history, mail or tags, except to turn its pages in order or to count", async () => {
    const found = [...(await plans(driver))];
    expect(found.length).toBeGreaterThan(20);
    const scans = found.filter(([, plan]) =>
      /SCAN (?!stepwell_(migrations|launchers|schedules|definitions|pruning)|\(subquery|(chain|known|names|shelves|told|l)\b|w VIRTUAL|\d+-ROW VALUES|\d+ CONSTANT ROWS)/.test(
        plan,
      ),
    );
    expect(scans.length).toBeGreaterThan(0);
    for (const [text, plan] of scans) {
      if (text.startsWith("SELECT count(*)")) continue;
      // It jumps from one workflow and version to the next.
      if (text.includes("SELECT next.workflow")) continue;
      if (text.includes("stepwell_mailbox AS m INDEXED BY")) {
        // As far as it looks.
        expect(text).toMatch(/ORDER BY m\.sequence DESC LIMIT \?/);
        expect(plan).toMatch(/SCAN m USING (COVERING )?INDEX stepwell_mailbox_dead(?!.*SCAN [em] )/);
        continue;
      }
      // All of them wait to be advanced, and no more of them are read than are asked for.
      if (text.includes("WHERE marked = 1")) {
        expect(plan).toBe("SCAN stepwell_lists USING INDEX stepwell_lists_marked");
        continue;
      }
      expect(text).toMatch(/ORDER BY created_at (DESC, sequence DESC|ASC, sequence ASC)/);
      // Where it is to leave some out, it looks at each of them.
      const isChosen = text.includes("AS fits FROM stepwell_executions WHERE true");
      if (isChosen) expect(text).toMatch(/WHERE fits OR number = \? LIMIT \? \+ 0$/);
      expect(plan).toMatch(
        isChosen
          ? /(?<!SCAN .*)SCAN stepwell_executions USING INDEX stepwell_executions_created(?!.*SCAN stepwell_)/
          : /^SCAN stepwell_executions USING COVERING INDEX stepwell_executions_created$/,
      );
    }
  });

  test("never sort what an index has in order; only the rows of a mailbox or a topic, and what is in work, are few enough", async () => {
    const sorting = [...(await plans(driver))].filter(([, plan]) => plan.includes("TEMP B-TREE"));
    expect(sorting.map(([text]) => text)).toEqual(
      sorting.map(
        () => expect.stringMatching(/(FROM|JOIN) (stepwell_(mailbox|publications|schedules)|json_each)/) as string,
      ),
    );
  });

  test("use the small indexes for what is due, owned, signalled, or on a shelf", async () => {
    const used = (part: string): string[] => [...found].filter(([text]) => text.includes(part)).map(([, plan]) => plan);
    const found = await plans(driver);
    for (const plan of used("ORDER BY due_at")) expect(plan).toContain("COVERING INDEX stepwell_executions_due");
    expect(used("due_at = ? WHERE owner = ?")).toEqual([
      expect.stringContaining("stepwell_executions_owned (owner=?)"),
    ]);
    expect(used("signals > seen")).toEqual([expect.stringContaining("stepwell_executions_signalled (owner=?)")]);
    expect(used("shelf = ?").length).toBeGreaterThan(0);
    for (const plan of used("shelf = ?")) {
      expect(plan).toMatch(
        /INDEX stepwell_executions_(listed|lined) \(workflow=\? AND shelf=\?|INDEX stepwell_executions_root \(root=\? AND shelf=\?|^SEARCH .*PRIMARY KEY \(rowid=\?\)$/,
      );
    }
    for (const plan of used("t.tag = ?")) expect(plan).toMatch(/SEARCH t USING PRIMARY KEY \(tag=\?/);
  });
});
