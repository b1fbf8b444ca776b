/**
 * The warehouse: a process of its own, with its own ledger.
 *
 *   POST /reservations           { order, items }             409 out-of-stock, by its own count
 *   POST /reservations/release   { id } or { requestedWith }  puts the goods back
 *   POST /shipments              { reservation, sku }         409 if that item is not reserved
 *   POST /shipments/undo         { id } or { requestedWith }  the item is reserved again
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { openLedger, type Answer } from "./ledger.js";
import { announce, command, guardedApp, listen, named } from "./participant.js";
import { setting } from "./setting.js";

type Kind = "reserved" | "shipped" | "unshipped" | "released";

const ledger = openLedger(
  setting("WAREHOUSE_LEDGER"),
  `CREATE TABLE IF NOT EXISTS reservations (id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, key TEXT NOT NULL UNIQUE);
   CREATE TABLE IF NOT EXISTS shipments (id INTEGER PRIMARY KEY, reservation INTEGER NOT NULL, sku TEXT NOT NULL, key TEXT NOT NULL UNIQUE);
   CREATE TABLE IF NOT EXISTS entries (
     number INTEGER PRIMARY KEY,
     kind TEXT NOT NULL, -- stocked, reserved, shipped, unshipped, released
     reservation INTEGER,
     sku TEXT NOT NULL,
     quantity INTEGER NOT NULL CHECK (quantity > 0)
   );
   CREATE INDEX IF NOT EXISTS entries_by_sku ON entries (sku);
   CREATE INDEX IF NOT EXISTS entries_by_reservation ON entries (reservation);`,
  ["reservations", "shipments", "entries"],
);

if (ledger.rows("SELECT 1 FROM entries LIMIT 1").length === 0) {
  const stock: Record<string, number> = JSON.parse(readFileSync(new URL("stock.json", import.meta.url), "utf8"));
  ledger.atomically(() => {
    for (const [sku, quantity] of Object.entries(stock)) {
      ledger.add("INSERT INTO entries (kind, sku, quantity) VALUES ('stocked', ?, ?)", sku, quantity);
    }
  });
}

function available(sku: string): number {
  const sum = `SUM(quantity * CASE kind WHEN 'reserved' THEN -1 WHEN 'stocked' THEN 1 WHEN 'released' THEN 1 ELSE 0 END)`;
  return (
    ledger.rows<{ quantity: number | null }>(`SELECT ${sum} AS quantity FROM entries WHERE sku = ?`, sku)[0]
      ?.quantity ?? 0
  );
}

/** The last thing that happened to each item of a reservation. */
function stages(reservation: number): ReadonlyMap<string, Kind> {
  const entries = ledger.rows<{ sku: string; kind: Kind }>(
    "SELECT sku, kind FROM entries WHERE reservation = ? ORDER BY number",
    reservation,
  );
  return new Map(entries.map(({ sku, kind }) => [sku, kind]));
}

/** For one item of a reservation, or for each. */
function enter(kind: Kind, reservation: number, sku: string | null): Answer {
  ledger.add(
    `INSERT INTO entries (kind, reservation, sku, quantity)
     SELECT ?, reservation, sku, quantity FROM entries
     WHERE reservation = ? AND kind = 'reserved' AND sku = coalesce(?, sku)`,
    kind,
    reservation,
    sku,
  );
  return { status: 200, body: { reservation, kind } };
}

const nothingToUndo: Answer = { status: 200, body: { kind: "nothing-to-undo" } };

const app = guardedApp();

command({
  app,
  ledger,
  path: "/reservations",
  schema: z.object({ order: z.string(), items: z.record(z.string(), z.number().int().positive()) }),
  work({ order, items }, key) {
    const missing = Object.entries(items).find(([sku, quantity]) => available(sku) < quantity);
    if (missing) return { status: 409, body: { refused: "out-of-stock", sku: missing[0] } };
    const id = ledger.add("INSERT INTO reservations (order_id, key) VALUES (?, ?)", order, key);
    for (const [sku, quantity] of Object.entries(items)) {
      ledger.add(
        "INSERT INTO entries (kind, reservation, sku, quantity) VALUES ('reserved', ?, ?, ?)",
        id,
        sku,
        quantity,
      );
    }
    return { status: 200, body: { id } };
  },
});

command({
  app,
  ledger,
  path: "/reservations/release",
  schema: named,
  work(reservation) {
    const found = ledger.findToUndo<{ id: number }>("reservations", reservation);
    if (found === undefined) return nothingToUndo;
    const kinds = [...stages(found.id).values()];
    if (kinds.includes("released")) return nothingToUndo;
    if (kinds.includes("shipped")) return { status: 409, body: { refused: "already-shipped" } };
    return enter("released", found.id, null);
  },
});

command({
  app,
  ledger,
  path: "/shipments",
  schema: z.object({ reservation: z.number().int(), sku: z.string() }),
  work({ reservation, sku }, key) {
    if (stages(reservation).get(sku) !== "reserved") return { status: 409, body: { refused: "not-reserved" } };
    const id = ledger.add("INSERT INTO shipments (reservation, sku, key) VALUES (?, ?, ?)", reservation, sku, key);
    enter("shipped", reservation, sku);
    return { status: 200, body: { id } };
  },
});

command({
  app,
  ledger,
  path: "/shipments/undo",
  schema: named,
  work(shipment) {
    const found = ledger.findToUndo<{ reservation: number; sku: string }>("shipments", shipment);
    if (found === undefined || stages(found.reservation).get(found.sku) !== "shipped") return nothingToUndo;
    return enter("unshipped", found.reservation, found.sku);
  },
});

announce(await listen(app));
