/**
 * For each kind of object that an execution in work is made of, one object that nothing is ever done with. Where a full garbage
 * collection finds no object of a kind, V8 forgets what all of that kind have in common, and throws away the code that it has compiled
 * for them. Such a collection comes whenever a launcher has had nothing to do for a while, and the next thousands of executions
 * would cost twice as much, until all is compiled again. What is kept here holds no launcher and no store.
 */
import { systemClock } from "../clock.js";
import { encode } from "../values/encode.js";
import { initialFlow, positionAt } from "../execution/position.js";
import type { Host } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { newRecord } from "../stores/batch.js";
import { callOf } from "./call.js";
import { ExecutionLoop } from "./loop.js";
import { startCall } from "./step-call.js";
import { Work } from "./work.js";

const empty = encode({}, { what: "The state" });

const record = newRecord(
  {
    id: "",
    workflow: "",
    version: "",
    fingerprint: null,
    tags: [],
    status: "running",
    position: positionAt(initialFlow, ""),
    state: empty,
    input: empty,
    owner: null,
    dueInMs: 0,
    deadlineInMs: null,
    carried: null,
  },
  null,
  0,
);

// No more of it than is looked at while the specimens are made.
const step = { name: "", run: () => new Promise(() => undefined) };
const registered = { definition: { steps: [step] as unknown }, shape: { count: 1, pivot: -1 } } as Registered;
const host = { clock: systemClock, sizeLimit: 0 } as Host;

const loop = new ExecutionLoop(record, {}, 0, registered, host, { left: () => undefined });
const work = new Work(record, {}, 0, registered, host);
const call = callOf(work);

export const specimens = { loop, call, running: startCall(work, call, loop) };
