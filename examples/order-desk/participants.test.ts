import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { readLedger } from "./ledger.js";
import { ledgerFile, startParticipants, startProcess, token, type Participants, type Process } from "./processes.js";

const folder = mkdtempSync(join(tmpdir(), "order-desk-test-"));
const events: { id: string; order: string; name: string; payload: unknown }[] = [];
const webhook = { refusals: 0 };
let participants: Participants;
let closeWebhook: () => void;

/** Posts with the key of an order's act; every test has orders of its own. */
async function post(to: Process, path: string, key: string, body: object): Promise<{ status: number; body: unknown }> {
  const response = await fetch(to.url + path, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Idempotency-Key": key },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

beforeAll(async () => {
  participants = await startParticipants(folder, 1_000);
  const app = new Hono();
  app.post("/", async (context) => {
    if (webhook.refusals > 0) {
      webhook.refusals -= 1;
      return context.text("not now", 500);
    }
    events.push(await context.req.json());
    return context.text("thank you");
  });
  const url = await new Promise<string>((resolve) => {
    const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
      resolve(`http://127.0.0.1:${port}/`);
    });
    closeWebhook = () => void server.close();
  });
  await fetch(`${participants.bank.url}/webhook`, {
    method: "PUT",
    headers: { Authorization: `Bearer ${token}` },
    body: JSON.stringify({ url }),
  });
}, 30_000);

afterAll(async () => {
  await Promise.all(Object.values(participants ?? {}).map((process: Process) => process.stop()));
  closeWebhook?.();
  rmSync(folder, { recursive: true, force: true });
});

function rows<Row>(participant: keyof Participants, sql: string, ...values: (string | number)[]): Row[] {
  const ledger = readLedger(ledgerFile(folder, participant));
  try {
    return ledger.rows<Row>(sql, ...values);
  } finally {
    ledger.close();
  }
}

describe("every participant", () => {
  it("answers nobody who does not know the token", async () => {
    for (const { url } of Object.values(participants) as Process[]) {
      const response = await fetch(`${url}/anything`, { method: "POST", headers: { Authorization: "Bearer guessed" } });
      expect(response.status).toBe(401);
    }
  });

  it("wants an idempotency key and a request that it understands", async () => {
    const { carrier } = participants;
    const headers = { Authorization: `Bearer ${token}` };
    expect((await fetch(`${carrier.url}/parcels`, { method: "POST", headers, body: "{}" })).status).toBe(400);
    expect((await post(carrier, "/parcels", "not-understood", { order: 7 })).status).toBe(400);
  });
});

describe("the warehouse", () => {
  const open = () => rows<{ total: number }>("warehouse", "SELECT COUNT(*) AS total FROM reservations")[0]?.total;

  it("gives the same answer to the same request with the same key, and reserves once", async () => {
    const request = { order: "w-1", items: { "cup-blue": 2, strainer: 1 } };
    const first = await post(participants.warehouse, "/reservations", "w-1:run", request);
    const before = open();
    expect(first.status).toBe(200);
    expect(await post(participants.warehouse, "/reservations", "w-1:run", request)).toEqual(first);
    expect(open()).toBe(before);
  });

  it("refuses a key that was used for another request", async () => {
    await post(participants.warehouse, "/reservations", "w-2:run", { order: "w-2", items: { "cup-blue": 1 } });
    const other = await post(participants.warehouse, "/reservations", "w-2:run", {
      order: "w-2",
      items: { "cup-blue": 2 },
    });
    expect(other).toEqual({ status: 409, body: { refused: "key-used-for-another-request" } });
  });

  it("counts its own stock, reserves all items or none, and keeps to a refusal", async () => {
    const request = { order: "w-3", items: { strainer: 1, "kettle-steel": 100_000 } };
    const before = open();
    const answer = await post(participants.warehouse, "/reservations", "w-3:run", request);
    expect(answer).toEqual({ status: 409, body: { refused: "out-of-stock", sku: "kettle-steel" } });
    expect(await post(participants.warehouse, "/reservations", "w-3:run", request)).toEqual(answer);
    expect(open()).toBe(before);
  });

  it("refuses a request that comes after its undo", async () => {
    const before = open();
    const undo = await post(participants.warehouse, "/reservations/release", "w-4:undo", { requestedWith: "w-4:run" });
    expect(undo.status).toBe(200);
    const late = await post(participants.warehouse, "/reservations", "w-4:run", {
      order: "w-4",
      items: { strainer: 1 },
    });
    expect(late).toEqual({ status: 410, body: { refused: "undone-before-it-arrived" } });
    expect(open()).toBe(before);
  });

  it("puts goods back once, by the key they were requested with or by their reservation", async () => {
    const { warehouse } = participants;
    const reservation = await post(warehouse, "/reservations", "w-5:run", { order: "w-5", items: { "tea-black": 3 } });
    await post(warehouse, "/reservations/release", "w-5:undo", { requestedWith: "w-5:run" });
    await post(warehouse, "/reservations/release", "w-5:undo-again", reservation.body as { id: number });
    const kinds = rows<{ kind: string }>(
      "warehouse",
      "SELECT kind FROM entries JOIN reservations ON id = reservation WHERE order_id = 'w-5' ORDER BY number",
    );
    expect(kinds.map(({ kind }) => kind)).toEqual(["reserved", "released"]);
  });

  it("does not put back what was shipped before the shipment is undone", async () => {
    const { warehouse } = participants;
    const { body } = await post(warehouse, "/reservations", "w-6:run", { order: "w-6", items: { "tea-green": 1 } });
    const reservation = body as { id: number };
    await post(warehouse, "/shipments", "w-6:ship", { reservation: reservation.id, sku: "tea-green" });
    expect((await post(warehouse, "/reservations/release", "w-6:early", reservation)).status).toBe(409);
    await post(warehouse, "/shipments/undo", "w-6:unship", { requestedWith: "w-6:ship" });
    expect((await post(warehouse, "/reservations/release", "w-6:undo", reservation)).status).toBe(200);
  });
});

const cards: { number: string; limitCents: number; expires: string }[] = JSON.parse(
  readFileSync(new URL("cards.json", import.meta.url), "utf8"),
);
/** Each test takes a card of its own: a card's debt stays. */
const goodCards = cards.filter(({ expires }) => expires > "2099");
let cardsTaken = 0;
const takeCard = () => goodCards[cardsTaken++] as (typeof cards)[number];

const eventsOf = (order: string) => events.filter((event) => event.order === order);
const told = (order: string) =>
  vi.waitFor(
    () => {
      const [event] = eventsOf(order);
      expect(event).toBeDefined();
      return event;
    },
    { timeout: 10_000, interval: 10 },
  );

describe("the bank", () => {
  const charge = async (order: string, card: string, cents: number) => {
    const answer = await post(participants.bank, "/payments", `${order}:run`, { order, card, cents });
    expect(answer.status).toBe(202);
    return (answer.body as { id: number }).id;
  };
  const debt = (card: string) =>
    rows<{ cents: number }>("bank", "SELECT TOTAL(cents) AS cents FROM entries WHERE card = ?", card)[0]?.cents;

  it("answers at once and tells later, by webhook, until it is heard", async () => {
    webhook.refusals = 2;
    const card = takeCard();
    await charge("b-1", card.number, 700);
    expect(await told("b-1")).toMatchObject({ name: "settled", payload: { at: expect.any(String) } });
    expect(webhook.refusals).toBe(0);
    expect(debt(card.number)).toBe(700);
  });

  it("charges once for a key", async () => {
    const card = takeCard();
    const id = await charge("b-2", card.number, 500);
    expect(await charge("b-2", card.number, 500)).toBe(id);
    await told("b-2");
    expect(debt(card.number)).toBe(500);
  });

  it("keeps to the limit of a card, until something is refunded", async () => {
    const card = takeCard();
    const id = await charge("b-3", card.number, card.limitCents);
    expect(await told("b-3")).toMatchObject({ name: "settled" });
    await charge("b-4", card.number, 1);
    expect(await told("b-4")).toMatchObject({ name: "declined", payload: { code: "card-limit" } });
    await post(participants.bank, "/refunds", "b-3:undo", { id });
    await charge("b-5", card.number, 1);
    expect(await told("b-5")).toMatchObject({ name: "settled" });
    expect(debt(card.number)).toBe(1);
  });

  it("declines cards that have expired or that it does not know", async () => {
    await charge("b-6", cards.find(({ expires }) => expires < "2025")?.number ?? "none", 100);
    expect(await told("b-6")).toMatchObject({ name: "declined", payload: { code: "card-expired" } });
    await charge("b-7", "no-card-of-ours", 100);
    expect(await told("b-7")).toMatchObject({ name: "declined", payload: { code: "unknown-card" } });
  });

  it("sends some webhooks before its answer, and some twice", async () => {
    const card = takeCard();
    let early = 0;
    let twice = 0;
    for (let number = 1; number <= 7; number += 1) {
      const id = await charge(`b-8-${number}`, card.number, 1);
      if (id % 5 === 0) early += eventsOf(`b-8-${number}`).length > 0 ? 1 : 0;
      if (id % 7 !== 0) continue;
      await vi.waitFor(() => expect(eventsOf(`b-8-${number}`)).toHaveLength(2), { timeout: 10_000, interval: 10 });
      const [first, second] = eventsOf(`b-8-${number}`);
      expect(second?.id).toBe(first?.id);
      twice += 1;
    }
    expect({ early: early > 0, twice }).toEqual({ early: true, twice: 1 });
  });

  it("takes nothing for a payment that is refunded before or after it is decided", async () => {
    const card = takeCard();
    const id = await charge("b-9", card.number, 900);
    const refund = await post(participants.bank, "/refunds", "b-9:undo", { requestedWith: "b-9:run" });
    expect(["voided", "refunded"]).toContain((refund.body as { kind: string }).kind);
    expect(await post(participants.bank, "/refunds", "b-9:undo", { requestedWith: "b-9:run" })).toEqual(refund);
    await post(participants.bank, "/refunds", "b-9:undo-again", { id });
    expect(debt(card.number)).toBe(0);
  });

  it("records a refund of what was never charged, and refuses the charge when it comes late", async () => {
    const { bank } = participants;
    const refund = await post(bank, "/refunds", "b-10:undo", { requestedWith: "b-10:run" });
    expect(refund).toEqual({ status: 200, body: { kind: "nothing-to-refund" } });
    const late = await post(bank, "/payments", "b-10:run", { order: "b-10", card: takeCard().number, cents: 100 });
    expect(late).toEqual({ status: 410, body: { refused: "undone-before-it-arrived" } });
  });

  it("has an outage that no key remembers", async () => {
    const settings = { BANK_LEDGER: join(folder, "other.ledger"), BANK_OUTAGE_AT: "1" };
    const bank = await startProcess("bank", folder, settings);
    const request = { order: "b-11", card: takeCard().number, cents: 100 };
    try {
      expect((await post(bank, "/payments", "b-11:run", request)).status).toBe(503);
      const after = async () => expect((await post(bank, "/payments", "b-11:run", request)).status).toBe(202);
      await vi.waitFor(after, { timeout: 10_000, interval: 200 });
    } finally {
      await bank.stop();
    }
  });
});

describe("the carrier", () => {
  const address = { name: "Ada Brandt", street: "Am Markt 1", postcode: "10115", city: "Berlin" };
  const book = (order: string, to: typeof address) =>
    post(participants.carrier, "/parcels", `${order}:run`, { order, address: to });
  const kinds = (order: string) =>
    rows<{ kind: string }>(
      "carrier",
      "SELECT kind FROM entries JOIN parcels ON id = parcel WHERE order_id = ? ORDER BY number",
      order,
    ).map(({ kind }) => kind);

  it("books one parcel for a key", async () => {
    expect(await book("c-1", address)).toEqual(await book("c-1", address));
    expect(kinds("c-1")).toEqual(["booked"]);
  });

  it("refuses addresses that it does not deliver to", async () => {
    const answer = await book("c-2", { ...address, postcode: "27498" });
    expect(answer).toEqual({ status: 422, body: { refused: "not-deliverable", postcode: "27498" } });
  });

  it("cancels once, by the key of the booking or by the parcel", async () => {
    const { body } = await book("c-3", address);
    await post(participants.carrier, "/parcels/cancel", "c-3:undo", { requestedWith: "c-3:run" });
    await post(participants.carrier, "/parcels/cancel", "c-3:undo-again", body as { id: number });
    expect(kinds("c-3")).toEqual(["booked", "cancelled"]);
  });

  it("refuses a booking that comes after its undo", async () => {
    await post(participants.carrier, "/parcels/cancel", "c-4:undo", { requestedWith: "c-4:run" });
    expect(await book("c-4", address)).toEqual({ status: 410, body: { refused: "undone-before-it-arrived" } });
    expect(kinds("c-4")).toEqual([]);
  });
});
