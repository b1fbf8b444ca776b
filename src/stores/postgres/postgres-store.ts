import type { Store } from "../contract.js";
import { claiming } from "./claim.js";
import { definitions } from "./definitions.js";
import { limits } from "./gates.js";
import { launchers } from "./launchers.js";
import { lists } from "./lists.js";
import { listing } from "./listing.js";
import { mail } from "./mail.js";
import { connectionsOf, type Source } from "./open.js";
import { pruning } from "./prune.js";
import { reading } from "./read.js";
import { schedules } from "./schedules.js";
import { Server, type Settings } from "./shared.js";
import { topics } from "./topics.js";
import { transactions } from "./transact.js";
import { writing } from "./write.js";

/** With so many connections two batches of topics may wait at the same time. */
const connectionsWorthTwo = 5;

/** So many connections are kept from the transactions of steps: for heartbeats, claims, commits and what is read. */
const keptFree = 2;

/** Each concern has its own file. */
export function postgresStoreOn(source: Source, settings: Settings): Store {
  const server = new Server(source, settings);
  const connections = connectionsOf(source, settings);
  return {
    name: "postgres",
    gathers: true,
    // One batch is written while the next one is put together; more only makes them smaller.
    lanes: 2,
    // Each may wait for a lock, so they must leave enough connections for the lanes and for what is read.
    topicLanes: connections < connectionsWorthTwo ? 1 : 2,
    ...(settings.clock !== undefined && { clock: settings.clock }),
    get isOpen() {
      return server.isOpen;
    },
    open: () => server.open(),
    close: () => server.close(),
    ...writing(server),
    ...claiming(server),
    ...launchers(server),
    ...reading(server),
    ...listing(server),
    ...mail(server),
    ...pruning(server),
    follow: (wanted, listener) => server.follow(wanted, listener),
    watch: (listener) => server.hints.watch(listener),
    definitions: definitions(server),
    limits: limits(server),
    lists: lists(server),
    schedules: schedules(server),
    topics: topics(server),
    transactions: transactions(server, Math.max(1, connections - keptFree)),
  };
}
