import type { Clock } from "../../clock.js";
import type { Batch, BatchResult } from "../batch.js";
import type { Store } from "../contract.js";
import { claiming } from "./claim.js";
import { definitions } from "./definitions.js";
import type { Driver } from "./driver.js";
import { limits } from "./gates.js";
import { launchers } from "./launchers.js";
import { lists } from "./lists.js";
import { listing } from "./listing.js";
import { mail } from "./mail.js";
import type { Durability } from "./open.js";
import { pruning } from "./prune.js";
import { reading } from "./read.js";
import { schedules } from "./schedules.js";
import { SqliteFile } from "./shared.js";
import { topics } from "./topics.js";
import { transactions } from "./transact.js";
import { writing } from "./write.js";

export interface SqliteStore extends Store {
  open(): void;
  close(): void;
  write(batch: Batch): BatchResult;
}

/** Everything is synchronous, on the thread of the caller; each concern has its own file. */
export function sqliteStoreOn(path: string, clock: Clock, durability: Durability, driver: () => Driver): SqliteStore {
  const file = new SqliteFile(path, clock, durability, driver);
  const store: SqliteStore & { isOpen: boolean } = {
    name: "sqlite",
    gathers: true,
    clock,
    // Not a getter: see the memory store.
    isOpen: false,
    open() {
      file.open();
      store.isOpen = true;
    },
    close() {
      store.isOpen = false;
      file.close();
    },
    ...writing(file),
    ...claiming(file),
    ...launchers(file),
    ...reading(file),
    ...listing(file),
    ...mail(file),
    ...pruning(file),
    follow: (wanted, listener) => file.moves.follow(wanted, listener),
    watch: (listener) => file.hints.watch(listener),
    definitions: definitions(file),
    limits: limits(file),
    lists: lists(file),
    schedules: schedules(file),
    topics: topics(file),
    transactions: transactions(file),
  };
  return store;
}
