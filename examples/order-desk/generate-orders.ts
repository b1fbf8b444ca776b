/**
 * Writes `orders.jsonl`, `stock.json` and `cards.json`: the same files every time.
 *
 *   npx tsx examples/order-desk/generate-orders.ts
 *
 * No order says how it ends. There is a little less stock than people want, some cards have a low
 * limit or have expired, and some people live where the carrier does not go.
 */
import { writeFileSync } from "node:fs";

const orderCount = 640;
const customerCount = 160;

/** Mulberry32 by Tommy Ettinger: a small generator of random numbers that can be repeated. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = randomNumbers(20_250_401);
const below = (limit: number) => Math.floor(random() * limit);
const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;

const prices: Record<string, number> = {
  "kettle-steel": 4990,
  "kettle-glass": 5990,
  "teapot-small": 2450,
  "teapot-large": 3450,
  "cup-white": 690,
  "cup-blue": 790,
  "tea-green": 1190,
  "tea-black": 990,
  "tea-herbs": 850,
  strainer: 550,
  "tray-oak": 3990,
  "tin-round": 1290,
};
const skus = Object.keys(prices);

const givenNames = [
  "Ada",
  "Ben",
  "Clara",
  "David",
  "Emine",
  "Felix",
  "Grete",
  "Hanna",
  "Ivan",
  "Jana",
  "Karim",
  "Lena",
];
const familyNames = ["Albers", "Brandt", "Celik", "Dietz", "Ernst", "Funke", "Gruber", "Hansen", "Ivanov", "Jung"];
const streets = ["Lindenweg", "Hafenstraße", "Am Markt", "Schulgasse", "Bergstraße", "Gartenweg"];
const served: readonly (readonly [string, string])[] = [
  ["10115", "Berlin"],
  ["20095", "Hamburg"],
  ["28195", "Bremen"],
  ["30159", "Hannover"],
  ["50667", "Köln"],
  ["60311", "Frankfurt"],
  ["70173", "Stuttgart"],
  ["80331", "München"],
  ["01067", "Dresden"],
  ["99084", "Erfurt"],
];
const farAway: typeof served = [
  ["18565", "Hiddensee"],
  ["25980", "Sylt"],
  ["26474", "Spiekeroog"],
  ["27498", "Helgoland"],
  ["87561", "Oberstdorf"],
];

const customers = Array.from({ length: customerCount }, (_, index) => {
  const [postcode, city] = pick(random() < 0.07 ? farAway : served);
  return {
    customer: `customer-${index + 1}`,
    card: `4000-${String(1000 + below(9000))}-${String(index + 1).padStart(4, "0")}`,
    limitCents: random() < 0.25 ? 15_000 : 60_000 + 10_000 * below(10),
    expires: random() < 0.06 ? "2024-11" : "2099-12",
    address: {
      name: `${pick(givenNames)} ${pick(familyNames)}`,
      street: `${pick(streets)} ${1 + below(90)}`,
      postcode,
      city,
    },
  };
});

const wanted = new Map(skus.map((sku) => [sku, 0]));
const orders = Array.from({ length: orderCount }, (_, index) => {
  const { customer, card, address } = pick(customers);
  const items: Record<string, number> = {};
  for (let lines = 1 + below(3); lines > 0; lines -= 1) items[pick(skus)] = 1 + below(3);
  let cents = 0;
  for (const [sku, quantity] of Object.entries(items)) {
    cents += quantity * (prices[sku] ?? 0);
    wanted.set(sku, (wanted.get(sku) ?? 0) + quantity);
  }
  return { id: `order-${index + 1001}`, customer, card, items, cents, address };
});

/** The kettle sells out early; of the rest there is nearly enough. */
const stock = Object.fromEntries(
  [...wanted].map(([sku, quantity], index) => [
    sku,
    Math.floor(quantity * (index === 0 ? 0.25 : index < 4 ? 0.6 : 0.95)),
  ]),
);
const cards = customers.map(({ card, limitCents, expires }) => ({ number: card, limitCents, expires }));

function write(file: string, content: string): void {
  writeFileSync(new URL(file, import.meta.url), content);
}
write("orders.jsonl", orders.map((order) => `${JSON.stringify(order)}\n`).join(""));
write("stock.json", `${JSON.stringify(stock, undefined, 2)}\n`);
write("cards.json", `[\n${cards.map((card) => `  ${JSON.stringify(card)}`).join(",\n")}\n]\n`);
