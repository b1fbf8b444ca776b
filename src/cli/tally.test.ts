import { expect, it } from "vitest";
import { Tally } from "./tally.js";

const stuck = {
  status: "stuck",
  reason: "odd",
  step: "pay",
  direction: "down",
  error: { name: "Error", message: "no way\nback" },
  state: {},
} as const;

it("counts reasons beyond twenty, and the stuck ones beyond ten, instead of listing them", () => {
  const tally = new Tally();
  for (let reason = 0; reason < 25; reason++) {
    for (let times = 0; times <= reason; times++) {
      tally.add("x", { status: "rolledBack", reason: `reason-${reason}`, state: {} });
    }
  }
  for (let number = 0; number < 12; number++) tally.add(`order-${number}`, stuck);
  tally.launched = 400;
  const table = tally.table();
  expect(table.indexOf("reason-24")).toBeLessThan(table.indexOf("reason-23"));
  expect(table).not.toContain("reason-4 ");
  expect(table).toMatch(/other reasons +│ +15 │/);
  expect(table).toMatch(/still waiting +│ +63 │/);
  expect(table).toContain("order-9 at pay (down): no way back\nand 2 more");
  expect(table).not.toContain("order-10");
});
