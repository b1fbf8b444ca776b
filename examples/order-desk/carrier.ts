/**
 * The carrier: a process of its own, with its own ledger.
 *
 *   POST /parcels         { order, address }             422 if it does not deliver there
 *   POST /parcels/cancel  { id } or { requestedWith }
 *
 * Some of its answers come late, and a few so late that nobody waits for them any more.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { openLedger } from "./ledger.js";
import { announce, command, guardedApp, listen, named } from "./participant.js";
import { setting } from "./setting.js";

const ledger = openLedger(
  setting("CARRIER_LEDGER"),
  `CREATE TABLE IF NOT EXISTS parcels (
     id INTEGER PRIMARY KEY,
     order_id TEXT NOT NULL,
     postcode TEXT NOT NULL,
     key TEXT NOT NULL UNIQUE
   );
   CREATE TABLE IF NOT EXISTS entries (
     number INTEGER PRIMARY KEY,
     kind TEXT NOT NULL, -- booked, cancelled
     parcel INTEGER NOT NULL,
     UNIQUE (parcel, kind)
   );`,
  ["parcels", "entries"],
);

/** Islands and mountains: from and to, both included. */
const notServed = [
  ["18565", "18565"],
  ["25929", "25999"],
  ["26465", "26486"],
  ["27498", "27498"],
  ["87561", "87569"],
] as const;

const app = guardedApp();
const address = z.object({
  name: z.string(),
  street: z.string(),
  postcode: z.string().regex(/^\d{5}$/),
  city: z.string(),
});
let answers = 0;

command({
  app,
  ledger,
  path: "/parcels",
  schema: z.object({ order: z.string(), address }),
  work({ order, address: { postcode } }, key) {
    if (notServed.some(([from, to]) => from <= postcode && postcode <= to)) {
      return { status: 422, body: { refused: "not-deliverable", postcode } };
    }
    const id = ledger.add("INSERT INTO parcels (order_id, postcode, key) VALUES (?, ?, ?)", order, postcode, key);
    ledger.add("INSERT INTO entries (kind, parcel) VALUES ('booked', ?)", id);
    return { status: 200, body: { id } };
  },
  async beforeAnswer() {
    answers += 1;
    if (answers % 9 === 0) await sleep(150);
    if (answers % 50 === 0) await sleep(1_500);
  },
});

command({
  app,
  ledger,
  path: "/parcels/cancel",
  schema: named,
  work(which) {
    const parcel = ledger.findToUndo<{ id: number }>("parcels", which);
    if (parcel) ledger.add("INSERT OR IGNORE INTO entries (kind, parcel) VALUES ('cancelled', ?)", parcel.id);
    return { status: 200, body: { kind: parcel ? "cancelled" : "nothing-to-cancel" } };
  },
});

announce(await listen(app));
