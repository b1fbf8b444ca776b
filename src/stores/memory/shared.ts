import type { Clock } from "../../clock.js";
import { StepwellError } from "../../errors.js";
import { Hints } from "../hints.js";
import { Moves } from "../moves.js";
import { DueQueue } from "./due-queue.js";
import { Gates } from "./gates.js";
import { Launchers } from "./launchers.js";
import { Lists } from "./lists.js";
import type { Row } from "./rows.js";
import { Schedules } from "./schedules.js";
import { Topics } from "./topics.js";

/** What the parts of one memory store share. */
export class MemoryData {
  readonly rows = new Map<string, Row>();
  readonly launchers = new Launchers();
  readonly dueQueue = new DueQueue();
  readonly topics = new Topics<Row>();
  readonly gates = new Gates();
  readonly lists = new Lists();
  readonly schedules = new Schedules();
  readonly hints = new Hints();
  readonly moves = new Moves();
  readonly clock: Clock;
  isOpen = false;
  /** Of the executions, and of what is in their mailboxes. */
  lastSequence = 0;
  lastMailSequence = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The time of a call. @throws STEPWELL_STORE_CLOSED */
  now(): number {
    this.mustBeOpen();
    return this.clock.now();
  }

  /** @throws STEPWELL_STORE_CLOSED */
  mustBeOpen(): void {
    if (this.isOpen) return;
    throw new StepwellError(
      "STEPWELL_STORE_CLOSED",
      "The memory store is not open. Call open(), or start a launcher on it.",
    );
  }
}
