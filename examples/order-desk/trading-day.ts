/** One day at the order desk: orders come in, the desk is killed a few times, and goes on. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Order, Standing } from "./books.js";
import { sendOrders } from "./customers.js";
import { startDesk, startParticipants, token, type Process } from "./processes.js";
import { count, type Screen } from "./screen.js";

/** If nothing comes to an end for so long, the day is over all the same. */
const patience = 30_000;

export interface Day {
  readonly standings: readonly Standing[];
  readonly kills: number;
  readonly webhooks: Webhooks;
  /** Ends the processes. Until then the desk takes orders, and acts. */
  end(): Promise<void>;
}

/** The bank's webhooks: what they were answered, how many were sent more than once, how many nobody took. */
export interface Webhooks {
  readonly answers: Readonly<Record<string, number>>;
  readonly repeated: number;
  readonly waiting: number;
}

/** The desk is killed each time that another part of the orders has come to an end: for two kills, a third. */
export async function tradingDay(
  folder: string,
  orders: readonly Order[],
  kills: number,
  screen: Screen,
): Promise<Day> {
  const participants = await startParticipants(folder, Math.ceil(orders.length * 0.4));
  let desk: Process | undefined = await startDesk(folder, participants);
  let standings: readonly Standing[] = [];
  let killed = 0;
  let ended = 0;
  let lastEnd = performance.now();
  const customers = sendOrders(orders, kills, () => desk);

  async function killDesk(dying: Process): Promise<void> {
    await customers.rush();
    standings = await look(dying, standings);
    desk = undefined;
    await dying.kill();
    killed += 1;
    const counts = count(standings);
    screen.say(`Killed the desk after ${counts.ended} orders, with ${counts.inWork} in work. A new one goes on.`);
    desk = await startDesk(folder, participants);
  }

  const outage = tellOutage(participants.bank, screen);

  async function watch(): Promise<void> {
    while (ended < orders.length && performance.now() - lastEnd < patience) {
      await sleep(100);
      await outage();
      if (desk) standings = await look(desk, standings);
      const counts = count(standings);
      screen.show(counts);
      if (counts.ended > ended) lastEnd = performance.now();
      ended = counts.ended;
      if (desk && killed < kills && ended >= (orders.length * (killed + 1)) / (kills + 1)) await killDesk(desk);
    }
  }

  await Promise.race([watch(), customers.refused]);
  const webhooks = await lastWebhooks(participants.bank);
  const last = desk;
  const end = async (): Promise<void> => {
    await last.stop();
    await Promise.all(Object.values(participants).map((participant: Process) => participant.stop()));
  };
  return { standings, kills: killed, webhooks, end };
}

interface Outage {
  readonly state: "to come" | "on" | "over";
  readonly turnedAway: number;
}

/** Says when the bank goes away, and when it is back. */
function tellOutage(bank: Process, screen: Screen): () => Promise<void> {
  let told: Outage["state"] = "to come";
  return async () => {
    if (told === "over") return;
    const { state, turnedAway } = await ask<Outage>(bank, "/outage");
    if (state !== "to come" && told === "to come")
      screen.say("The bank is out of order. Nothing is given up: what needs it is tried again, later and later.");
    if (state === "over") screen.say(`The bank is back. It has turned ${turnedAway} requests away meanwhile.`);
    told = state;
  };
}

async function ask<Content>(process: Process, path: string): Promise<Content> {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(process.url + path, { headers, signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${process.name} answered GET ${path} with ${answer.status}`);
  return (await answer.json()) as Content;
}

/** How the orders stand, by the desk. While it does not answer: as before. */
function look(desk: Process, before: readonly Standing[]): Promise<readonly Standing[]> {
  return ask<readonly Standing[]>(desk, "/executions").catch(() => before);
}

/** The second copy of a webhook may come when everything has ended. */
async function lastWebhooks(bank: Process): Promise<Webhooks> {
  const giveUpAt = performance.now() + 10_000;
  for (;;) {
    const webhooks = await ask<Webhooks>(bank, "/outbox");
    if (webhooks.waiting === 0 || performance.now() > giveUpAt) return webhooks;
    await sleep(100);
  }
}
