/** The audit: what the desk says about the orders, against what is written in the participants' ledgers. */
import type { z } from "zod";
import type { order } from "./fulfil-order.js";
import { readLedger } from "./ledger.js";
import { ledgerFile, type Participants } from "./processes.js";

export type Order = z.infer<typeof order>;

/** How an order stands, by the desk. */
export interface Standing {
  readonly id: string;
  readonly status: string;
  readonly reason: string;
}

export interface Books {
  /** What should be the same on both sides. */
  readonly sums: readonly { readonly what: string; readonly desk: number; readonly ledgers: number }[];
  /** What is wrong, one sentence each. Empty: the books balance. */
  readonly differences: readonly string[];
}

/** What an order left in a ledger: the last thing that happened to a reservation, a payment or a parcel. */
interface Trace {
  readonly order: string;
  readonly what: "reservation" | "payment" | "parcel";
  /** Null: not decided yet. */
  readonly stage: string | null;
  readonly amount: number;
}

/** An order that was fulfilled has one of each, like this. */
const fulfilled = { reservation: "shipped", payment: "settled", parcel: "booked" } as const;

/** In any other stage, goods are held, money is taken or a parcel is on its way. */
const withoutTrace = ["released", "declined", "voided", "refunded", "cancelled"];

export function audit(folder: string, orders: readonly Order[], standings: readonly Standing[]): Books {
  const { traces, sums } = readLedgers(folder);
  const standingOf = new Map(standings.map((standing) => [standing.id, standing]));
  const tracesOf = new Map(orders.map(({ id }): [string, Trace[]] => [id, []]));
  const differences: string[] = [];
  for (const trace of traces) {
    const found = tracesOf.get(trace.order);
    if (found) found.push(trace);
    else differences.push(`${trace.order}: there is a ${trace.what}, but nobody ordered`);
  }
  for (const order of orders) {
    differences.push(...check(order, standingOf.get(order.id), tracesOf.get(order.id) ?? []));
  }
  const completed = orders.filter(({ id }) => standingOf.get(id)?.status === "completed").map(amounts);
  const total = (what: Trace["what"]) => completed.reduce((sum, amount) => sum + amount[what], 0);
  const compared = [
    { what: "goods gone from the shelves", desk: total("reservation"), ledgers: sums.goodsGone },
    { what: "goods shipped", desk: total("reservation"), ledgers: sums.goodsShipped },
    { what: "cents taken", desk: total("payment"), ledgers: sums.centsTaken },
    { what: "parcels on their way", desk: total("parcel"), ledgers: sums.parcels },
  ];
  for (const { what, desk, ledgers } of compared) {
    if (desk !== ledgers) differences.push(`${what}: ${desk} by the desk, ${ledgers} by the ledgers`);
  }
  return { sums: compared, differences };
}

/** Whole, or without trace. */
function check(order: Order, standing: Standing | undefined, traces: readonly Trace[]): string[] {
  const seen = traces.map(({ what, stage, amount }) => `${what} of ${amount} ${stage ?? "undecided"}`).join(", ");
  const found = `the ledgers have: ${seen || "nothing"}`;
  switch (standing?.status) {
    case "completed": {
      const expected = amounts(order);
      const isWhole = (["reservation", "payment", "parcel"] as const).every((what) => {
        const [only, ...others] = traces.filter((trace) => trace.what === what);
        return others.length === 0 && only?.stage === fulfilled[what] && only.amount === expected[what];
      });
      return isWhole ? [] : [`${order.id} is completed, but not whole; ${found}`];
    }
    case "rolledBack": {
      const isGone = traces.every(({ stage }) => stage !== null && withoutTrace.includes(stage));
      return isGone ? [] : [`${order.id} is rolled back (${standing.reason}), but left a trace; ${found}`];
    }
    default:
      return [`${order.id} has not come to an end: ${standing?.status ?? "the desk does not know it"}; ${found}`];
  }
}

function amounts({ items, cents }: Order): Readonly<Record<Trace["what"], number>> {
  return { reservation: Object.values(items).reduce((sum, quantity) => sum + quantity, 0), payment: cents, parcel: 1 };
}

function readLedgers(folder: string) {
  const read = <Row>(participant: keyof Participants, sql: string) => {
    const ledger = readLedger(ledgerFile(folder, participant));
    try {
      return ledger.rows<Row>(sql);
    } finally {
      ledger.close();
    }
  };
  const traces = (participant: keyof Participants, what: Trace["what"], amount: string) =>
    read<Trace>(
      participant,
      `SELECT order_id AS "order", '${what}' AS what, ${amount} AS amount,
         (SELECT kind FROM entries WHERE ${what} = things.id ORDER BY number DESC LIMIT 1) AS stage
       FROM ${what}s AS things`,
    );
  const sum = (participant: keyof Participants, what: string) =>
    read<{ sum: number }>(participant, `SELECT TOTAL(${what}) AS sum FROM entries`)[0]?.sum ?? 0;
  const quantity = "(SELECT SUM(quantity) FROM entries WHERE reservation = things.id AND kind = 'reserved')";
  return {
    traces: [
      ...traces("warehouse", "reservation", quantity),
      ...traces("bank", "payment", "cents"),
      ...traces("carrier", "parcel", "1"),
    ],
    sums: {
      goodsGone: sum("warehouse", "quantity * CASE kind WHEN 'reserved' THEN 1 WHEN 'released' THEN -1 ELSE 0 END"),
      goodsShipped: sum("warehouse", "quantity * CASE kind WHEN 'shipped' THEN 1 WHEN 'unshipped' THEN -1 ELSE 0 END"),
      centsTaken: sum("bank", "cents"),
      parcels: sum("carrier", "CASE kind WHEN 'booked' THEN 1 ELSE -1 END"),
    },
  };
}
