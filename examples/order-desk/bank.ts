/**
 * The bank: a process of its own, with its own ledger.
 *
 *   PUT  /webhook   { url }                        where to tell what became of a payment
 *   POST /payments  { order, card, cents }         202: it is decided later, and told by webhook
 *   POST /refunds   { id } or { requestedWith }    gives back what was taken, if anything was
 *   GET  /outbox                                   what became of the webhooks
 *
 * It is as unpleasant as real ones: some webhooks leave before the answer to the payment does, some
 * leave twice, all are repeated until they are answered with 2xx, and for two seconds of each run
 * it answers everything with 503.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { openLedger, type Answer } from "./ledger.js";
import { announce, command, guardedApp, listen, named } from "./participant.js";
import { setting } from "./setting.js";

interface Payment {
  readonly id: number;
  readonly order_id: string;
  readonly card: string;
  readonly cents: number;
}
type Kind = "settled" | "declined" | "voided" | "refunded";

const token = setting("ORDER_DESK_TOKEN");
/** The outage begins with this request. */
const outageAt = Number(setting("BANK_OUTAGE_AT"));
const outageMilliseconds = 2_000;

const ledger = openLedger(
  setting("BANK_LEDGER"),
  `CREATE TABLE IF NOT EXISTS cards (number TEXT PRIMARY KEY, limit_cents INTEGER NOT NULL, expires TEXT NOT NULL);
   CREATE TABLE IF NOT EXISTS payments (
     id INTEGER PRIMARY KEY,
     order_id TEXT NOT NULL,
     card TEXT NOT NULL,
     cents INTEGER NOT NULL CHECK (cents > 0),
     key TEXT NOT NULL UNIQUE
   );
   CREATE TABLE IF NOT EXISTS entries (
     number INTEGER PRIMARY KEY,
     kind TEXT NOT NULL, -- settled, declined, voided, refunded, nothing-to-refund
     payment INTEGER,
     card TEXT,
     cents INTEGER NOT NULL -- what it adds to the card's debt
   );
   CREATE INDEX IF NOT EXISTS entries_by_card ON entries (card);
   CREATE INDEX IF NOT EXISTS entries_by_payment ON entries (payment);
   CREATE TABLE IF NOT EXISTS undecided (payment INTEGER PRIMARY KEY, due_at INTEGER NOT NULL);
   CREATE TABLE IF NOT EXISTS webhook (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), url TEXT NOT NULL);
   CREATE TABLE IF NOT EXISTS outbox (
     number INTEGER PRIMARY KEY,
     body TEXT NOT NULL,
     attempts INTEGER NOT NULL,
     due_at INTEGER, -- null: delivered
     answer TEXT
   );
   CREATE INDEX IF NOT EXISTS outbox_by_due_at ON outbox (due_at) WHERE due_at IS NOT NULL;`,
  ["payments", "entries"],
);

const cards: { number: string; limitCents: number; expires: string }[] = JSON.parse(
  readFileSync(new URL("cards.json", import.meta.url), "utf8"),
);
ledger.atomically(() => {
  for (const { number, limitCents, expires } of cards) {
    ledger.add("INSERT OR IGNORE INTO cards VALUES (?, ?, ?)", number, limitCents, expires);
  }
});

/** The last thing that happened to a payment; undefined while it is undecided. */
function stage(payment: number): Kind | undefined {
  return ledger.rows<{ kind: Kind }>(
    "SELECT kind FROM entries WHERE payment = ? ORDER BY number DESC LIMIT 1",
    payment,
  )[0]?.kind;
}

function enter(kind: Kind, payment: Payment, cents: number): Answer {
  const { id, card } = payment;
  ledger.add("INSERT INTO entries (kind, payment, card, cents) VALUES (?, ?, ?, ?)", kind, id, card, cents);
  ledger.add("DELETE FROM undecided WHERE payment = ?", id);
  return { status: 200, body: { payment: id, kind } };
}

/** The rules of the bank. Undefined: nothing speaks against it. */
function objection({ card, cents }: Payment): string | undefined {
  const [known] = ledger.rows<{ limit_cents: number; expires: string }>("SELECT * FROM cards WHERE number = ?", card);
  if (known === undefined) return "unknown-card";
  if (known.expires < new Date().toISOString().slice(0, 7)) return "card-expired";
  const [debt] = ledger.rows<{ cents: number }>("SELECT TOTAL(cents) AS cents FROM entries WHERE card = ?", card);
  return (debt?.cents ?? 0) + cents > known.limit_cents ? "card-limit" : undefined;
}

/** Decides what is due, and puts the news into the outbox in the same transaction. */
function decideDue(): void {
  ledger.atomically(() => {
    const due = ledger.rows<Payment>(
      "SELECT payments.* FROM undecided JOIN payments ON id = payment WHERE due_at <= ? ORDER BY id",
      Date.now(),
    );
    for (const payment of due) {
      const code = objection(payment);
      const name = code === undefined ? "settled" : "declined";
      enter(name, payment, code === undefined ? payment.cents : 0);
      const payload = code === undefined ? { at: new Date().toISOString() } : { code };
      const body = JSON.stringify({ id: `event-${payment.id}`, order: payment.order_id, name, payload });
      const copies = payment.id % 7 === 0 ? 2 : 1;
      for (let copy = 0; copy < copies; copy += 1) {
        ledger.add("INSERT INTO outbox (body, attempts, due_at) VALUES (?, 0, ?)", body, Date.now());
      }
    }
  });
}

async function deliverDue(): Promise<void> {
  const [webhook] = ledger.rows<{ url: string }>("SELECT url FROM webhook");
  if (webhook === undefined) return;
  const due = ledger.rows<{ number: number; body: string; attempts: number }>(
    "SELECT * FROM outbox WHERE due_at <= ? ORDER BY number LIMIT 20",
    Date.now(),
  );
  await Promise.all(
    due.map(async ({ number, body, attempts }) => {
      // Out of sight of the other rounds until this attempt must be over, and it was repeated if not.
      const again = Date.now() + 2_000;
      ledger.add("UPDATE outbox SET attempts = attempts + 1, due_at = ? WHERE number = ?", again, number);
      const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
      const request = { method: "POST", headers, body, signal: AbortSignal.timeout(1_500) };
      const answer = await fetch(webhook.url, request).catch(() => undefined);
      const text = await answer?.text().catch(() => undefined);
      if (answer?.ok && text !== undefined) {
        ledger.add("UPDATE outbox SET due_at = NULL, answer = ? WHERE number = ?", text, number);
      } else {
        const wait = Math.min(50 * 2 ** attempts, 1_000);
        ledger.add("UPDATE outbox SET due_at = ? WHERE number = ?", Date.now() + wait, number);
      }
    }),
  );
}

const app = guardedApp();

app.put("/webhook", async (context) => {
  const { url } = z.object({ url: z.url() }).parse(await context.req.json());
  ledger.add("INSERT INTO webhook VALUES (1, ?) ON CONFLICT DO UPDATE SET url = excluded.url", url);
  return context.body(null, 204);
});

app.get("/outbox", (context) => {
  const [counts] = ledger.rows<{ waiting: number; repeated: number }>(
    "SELECT COUNT(due_at) AS waiting, COUNT(*) FILTER (WHERE attempts > 1) AS repeated FROM outbox",
  );
  const answers = ledger.rows<{ answer: string; count: number }>(
    "SELECT answer, COUNT(*) AS count FROM outbox WHERE due_at IS NULL GROUP BY answer ORDER BY answer",
  );
  return context.json({ ...counts, answers: Object.fromEntries(answers.map(({ answer, count }) => [answer, count])) });
});

let requests = 0;
let outageEnds = 0;
/** How many requests met the outage. */
let turnedAway = 0;

app.get("/outage", (context) => {
  const state = outageEnds === 0 ? "to come" : Date.now() < outageEnds ? "on" : "over";
  return context.json({ state, turnedAway });
});

app.on("POST", ["/payments", "/refunds"], async (context, next) => {
  requests += 1;
  if (requests === outageAt) outageEnds = Date.now() + outageMilliseconds;
  if (Date.now() < outageEnds) {
    turnedAway += 1;
    return context.json({ error: "the bank is out of order" }, 503);
  }
  await next();
});

const comesEarly = (payment: number) => payment % 5 === 0;

command({
  app,
  ledger,
  path: "/payments",
  schema: z.object({ order: z.string(), card: z.string(), cents: z.number().int().positive() }),
  work({ order, card, cents }, key) {
    const columns = "(order_id, card, cents, key)";
    const id = ledger.add(`INSERT INTO payments ${columns} VALUES (?, ?, ?, ?)`, order, card, cents, key);
    const thinking = comesEarly(id) ? 0 : 50 + ((id * 37) % 250);
    ledger.add("INSERT INTO undecided VALUES (?, ?)", id, Date.now() + thinking);
    return { status: 202, body: { id } };
  },
  async beforeAnswer({ body }) {
    if (!comesEarly(Number(body["id"]))) return;
    decideDue();
    await deliverDue();
  },
});

command({
  app,
  ledger,
  path: "/refunds",
  schema: named,
  work(which) {
    const payment = ledger.findToUndo<Payment>("payments", which);
    const before = payment && stage(payment.id);
    if (payment && before === "settled") return enter("refunded", payment, -payment.cents);
    if (payment && before === undefined) return enter("voided", payment, 0);
    ledger.add("INSERT INTO entries (kind, cents) VALUES ('nothing-to-refund', 0)");
    return { status: 200, body: { kind: "nothing-to-refund" } };
  },
});

setInterval(() => {
  decideDue();
  void deliverDue();
}, 10);

announce(await listen(app));
