/** The customers: they send orders to the desk, again and again until it has taken them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Order } from "./books.js";
import { token, type Process } from "./processes.js";

/** A new order comes every so many milliseconds. */
const pace = 20;
/** So many orders come at once when `rush` is called. */
export const rushSize = 8;

export interface Customers {
  /** Sends a group of orders at once; resolves when the desk has taken them. */
  rush(): Promise<void>;
  /** Rejects if the desk refuses an order; else nothing. */
  readonly refused: Promise<never>;
}

/** Orders go to whatever desk there is at the moment. As many as `rushes` need are held back. */
export function sendOrders(orders: readonly Order[], rushes: number, desk: () => Process | undefined): Customers {
  const queue = [...orders];
  let rushesLeft = rushes;

  let refuse: (error: unknown) => void;
  const refused = new Promise<never>((_, reject) => (refuse = reject));

  async function send(order: Order): Promise<void> {
    while (!(await offer(desk(), order))) await sleep(100);
  }

  async function oneByOne(): Promise<void> {
    while (queue.length > 0) {
      // The last ones are held back for the rushes.
      const next = queue.length > rushesLeft * rushSize ? queue.shift() : undefined;
      if (next) send(next).catch(refuse);
      await sleep(pace);
    }
  }

  void oneByOne();
  return {
    rush: async () => {
      rushesLeft -= 1;
      await Promise.all(queue.splice(0, rushSize).map(send));
    },
    refused,
  };
}

/** False: nobody has answered, so the order may or may not have been taken. To send it again is harmless. */
async function offer(desk: Process | undefined, order: Order): Promise<boolean> {
  if (desk === undefined) return false;
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const request = { method: "POST", headers, body: JSON.stringify(order), signal: AbortSignal.timeout(5_000) };
  const answer = await fetch(`${desk.url}/orders`, request).catch(() => undefined);
  if (answer !== undefined && answer.status >= 400) {
    throw new Error(`the desk refused ${order.id} with ${answer.status}: ${await answer.text()}`);
  }
  return answer !== undefined;
}
