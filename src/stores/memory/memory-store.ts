/**
 * The reference of what a store does: everything is synchronous, and lives as long as the process.
 * Where another store and this one differ, this one is read first.
 */
import { systemClock, type Clock } from "../../clock.js";
import { refuseUnknownOptions } from "../../values/options.js";
import { StepwellError } from "../../errors.js";
import type { Store } from "../contract.js";
import { claiming } from "./claim.js";
import { MemoryData } from "./shared.js";
import { definitions } from "./definitions.js";
import { limits } from "./gates.js";
import { launchers } from "./launchers.js";
import { lists } from "./lists.js";
import { mail } from "./mail.js";
import { pruning } from "./prune.js";
import { reading } from "./read.js";
import { schedules } from "./schedules.js";
import { writing } from "./write.js";

export interface MemoryStoreOptions {
  /** Whose time the store keeps. Default: the system's. */
  readonly clock?: Clock;
}

/**
 * A store for tests, and for work that may be forgotten when the process ends. It keeps its data over
 * `close()` and a new `open()`, and nothing over the end of the process.
 *
 * @throws STEPWELL_UNKNOWN_OPTION
 * @example
 * const launcher = new Launcher({ store: memoryStore(), workflows: [fulfilOrder] });
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  refuseUnknownOptions(options, ["clock"], "memoryStore");
  const data = new MemoryData(options.clock ?? systemClock);
  const { write } = writing(data);
  const store: Store & { isOpen: boolean } = {
    name: "memory",
    gathers: false,
    clock: data.clock,
    // Not a getter: V8 makes it for long, and it would keep all that the store holds until the whole heap is collected.
    isOpen: false,
    open() {
      if (data.isOpen) throw new StepwellError("STEPWELL_INVALID_ARGUMENT", "The memory store is open already.");
      store.isOpen = data.isOpen = true;
    },
    close() {
      store.isOpen = data.isOpen = false;
    },
    write,
    ...claiming(data),
    ...launchers(data),
    ...reading(data),
    ...mail(data),
    ...pruning(data),
    follow: (wanted, listener) => data.moves.follow(wanted, listener),
    watch: (listener) => data.hints.watch(listener),
    definitions: definitions(data),
    limits: limits(data),
    lists: lists(data, write),
    schedules: schedules(data, write),
  };
  return store;
}
