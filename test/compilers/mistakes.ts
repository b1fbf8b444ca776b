/**
 * What is refused where it is written. Each mark says what the compiler's answer to the next line must hold: the test takes
 * the marks away and reads.
 */
import { complete, fail, Launcher, memoryStore, observer, pause, step, workflow } from "stepwell";
import { z } from "zod";

const order = workflow("order", {
  input: z.object({
    sku: z.string(),
    lines: z.array(z.object({ name: z.string() })),
    tags: z.map(z.string(), z.date()),
  }),
});
class Account {
  close(): void {}
}

// What a step gives back.
// @ts-expect-error this gives a number; give a patch, an object of fields, or nothing
order.step("a", { run: () => 1 });
// @ts-expect-error this gives an array; give a patch, an object of fields, or nothing
order.step("a", { run: async () => [1] });
// @ts-expect-error this gives a text; give a patch, an object of fields, or nothing
order.step("a", { run: ({ state }) => (state.sku === "" ? "none" : { found: true }) });
// @ts-expect-error this gives a function; give a patch, an object of fields, or nothing
order.step("a", { run: () => () => 1 });
// @ts-expect-error this gives a symbol; give a patch, an object of fields, or nothing
order.step("a", { run: () => Symbol("x") });
// @ts-expect-error this gives an instance of a class; give a patch, an object of fields, or nothing
order.step("a", { run: () => new Map() });
// @ts-expect-error this gives an instance of a class; give a patch, an object of fields, or nothing
order.step("a", { run: () => new Error("x") });
// @ts-expect-error this gives an instance of a class; give a patch, an object of fields, or nothing
order.step("a", { run: async function* () {} });
// @ts-expect-error this gives a boolean; give a patch, an object of fields, or nothing
order.step("a", { run: () => undefined, rollback: async () => true });
// @ts-expect-error complete(…) means nothing here: only on the way up can a workflow end early
order.step("a", { run: () => undefined, rollback: () => complete() });

// The fields of a patch.
// @ts-expect-error \"x\" is a promise: await it first
order.step("a", { run: () => ({ x: Promise.resolve(1) }) });
order.step("a", {
  messages: { go: z.null() },
  // @ts-expect-error \"x\" is a promise: await it first
  run: () => pause({ x: Promise.resolve(1) }),
  onMessage: () => undefined,
});
// @ts-expect-error \"x\" holds promises: await Promise.all(…) first
order.step("a", { run: () => ({ x: [Promise.resolve(1)] }) });
// @ts-expect-error \"x.y\" is a promise: await it first
order.step("a", { run: () => ({ x: { y: Promise.resolve(1), z: 5 } }) });
// @ts-expect-error \"x\" is an instance of a class, or holds a function, which can't be stored
order.step("a", { run: () => ({ x: { y: () => 1 } }) });
// @ts-expect-error \"x\" is a function, which can't be stored
order.step("a", { run: () => ({ x: () => 1 }) });
// @ts-expect-error \"x\" is a symbol, which can't be stored
order.step("a", { run: () => ({ x: Symbol("x") }) });
// @ts-expect-error \"x\" is an instance of a class, or holds a function, which can't be stored
order.step("a", { run: () => ({ x: new Account() }) });
// @ts-expect-error \"x\" is an error, which can't be stored
order.step("a", { run: () => ({ x: new Error("x") }) });
// @ts-expect-error \"sku\" has another type in the state here, for which earlier rollbacks are written: use another name
order.step("a", { run: () => ({ sku: 5 }) });
// @ts-expect-error \"x\" has another type in the state here, for which earlier rollbacks are written: use another name
order.step("a", { run: () => ({ x: 5 }) }).step("b", { run: () => undefined, rollback: () => ({ x: "text" }) });

// The options of a step.
// @ts-expect-error \"messages\" goes with \"onMessage\", which is missing
order.step("a", { run: () => undefined, messages: { a: z.null() } });
// @ts-expect-error \"onMessage\" goes with \"messages\", which is missing
order.step("a", { run: () => undefined, onMessage: () => undefined });
// @ts-expect-error \"rollbackMessages\" goes with \"onRollbackMessage\", which is missing
order.step("a", { run: () => undefined, rollback: () => undefined, rollbackMessages: { a: z.null() } });
// @ts-expect-error there is no option \"rollbakc\"
order.step("a", { run: () => undefined, rollbakc: () => undefined });
// @ts-expect-error a step named \"a\" is there already
order.step("a", { run: () => undefined }).step("a", { run: () => undefined });

// Children.
const parcel = workflow("parcel", { input: z.object({ sku: z.string() }) }).step("pack", { run: () => ({ box: 5 }) });
const sku = () => ({ sku: "a" });
// @ts-expect-error Type '{}' is not assignable to type '{
order.child("a", parcel, { input: () => ({}) });
// @ts-expect-error Property 'box' does not exist
order.child("a", order, { input: ({ state }) => state, join: ({ children }) => void children[0].state.box });
// @ts-expect-error Property 'b' is missing in type
order.parallel("a", { a: parcel, b: parcel }, { input: () => ({ a: { sku: "a" } }) });
// @ts-expect-error there is no workflow under the key \"c\"
order.parallel("a", { a: parcel }, { input: () => ({ a: { sku: "a" }, c: undefined }) });
// @ts-expect-error an item is no input of the workflow: give \"input\", which makes one of it
order.forEach("a", parcel, { items: ({ state }) => state.lines });
// @ts-expect-error \"onFailure\" goes with \"join\", which is missing
order.child("a", parcel, { input: sku, onFailure: "settle" });
// @ts-expect-error \"join\" answers at once: it can't give a promise
order.child("a", parcel, { input: sku, join: async () => ({ x: 1 }) });
// @ts-expect-error \"join\" gives a patch, fail(…) or nothing: the step has nothing more to wait for
order.child("a", parcel, { input: sku, join: () => pause() });
// @ts-expect-error there is no option \"retry\"
order.child("a", parcel, { input: sku, retry: { attempts: 5 } });
// @ts-expect-error a step named \"a\" is there already
order.child("a", parcel, { input: sku }).forEach("a", parcel, { items: () => [] });

// Steps of modules.
const ship = step<{ settledAt: Date }>()("ship", { run: ({ state }) => ({ shipped: state.settledAt }) });
// @ts-expect-error 'Step<{ settledAt: Date; }, { shipped: Date; }, Partial<{ shipped: Date; }>, never, "ship", {}>' is not assignable to parameter of type '"the state here lacks \"settledAt\", which this step needs"'
order.step(ship);
// @ts-expect-error the state here lacks \"settledAt\" of that type, which this step needs
order.step("a", { run: () => ({ settledAt: "today" }) }).step(ship);
const shipped = order.step("a", { run: () => ({ settledAt: new Date() }) }).step(ship);
// @ts-expect-error a step named \"ship\" is there already
shipped.step(ship);
// @ts-expect-error \"sku\" has another type in the state here
order.step(step()("a", { run: () => fail("x", { patch: { sku: 5 } }) }));
// @ts-expect-error \"sku\" has another type in the state here
order.step(step()("a", { run: () => (Math.random() > 0.5 ? complete({ sku: 5 }) : undefined) }));
// @ts-expect-error \"sku\" has another type in the state here
order.step(step()("a", { run: () => undefined, rollback: async () => ({ sku: 5 }) }));
const paused = step()("a", {
  messages: { go: z.null() },
  rollbackMessages: { gone: z.null() },
  run: () => pause({ cents: 5 }),
  onMessage: () => undefined,
  rollback: () => pause(),
  onRollbackMessage: () => ({ sku: 5 }),
});
// @ts-expect-error \"sku\" has another type in the state here
order.step(paused);
// @ts-expect-error \"cents\" has another type in the state here
workflow("x", { input: z.object({ cents: z.string(), sku: z.number() }) }).step(paused);

// What a guard gives.
// @ts-expect-error Type 'number' is not assignable to type 'string'
order.observe({ name: "a", guard: true, beforeStep: () => ({ sku: 5 }) });
// @ts-expect-error Type 'number' is not assignable to type 'string'
observer<{ sku: string }>({ name: "a", guard: true, success: () => ({ sku: 5 }) });
// @ts-expect-error Type 'number' is not assignable to type 'string'
order.step("a", { run: () => ({ x: "x" }) }).observe({ name: "a", guard: true, init: () => ({ x: 5, y: 6 }) });

// The input.
// @ts-expect-error the input's schema must say what the fields are: this one gives any
workflow("x", { input: z.any() });
// @ts-expect-error the input's schema must give an object of fields, and this one gives none
workflow("x", { input: z.string() });
// @ts-expect-error the input's schema must give an object of fields, and this one gives none
workflow("x", { input: z.array(z.string()) });

// The state is read-only, also within.
// @ts-expect-error Property 'push' does not exist on type 'readonly
order.step("a", { run: ({ state }) => void state.lines.push({ name: "x" }) });
// @ts-expect-error Cannot assign to 'name' because it is a read-only property
order.step("a", { run: ({ state }) => void (state.lines[0]!.name = "x") });
// @ts-expect-error Property 'set' does not exist on type 'ReadonlyMap<string, Date>'
order.step("a", { run: ({ state }) => void state.tags.set("x", new Date()) });

// Handles and launches.
const paying = workflow("paying", { input: z.object({ cents: z.number() }) }).step("pay", {
  messages: { paid: z.object({ at: z.date() }) },
  run: () => pause({ paymentId: "p" }),
  onMessage: ({ message }) => ({ paidAt: message.payload.at }),
});
const launcher = new Launcher({ store: memoryStore(), workflows: [paying] });
// @ts-expect-error Type '"pya"' is not assignable to type '"pay"'
void launcher.launch(paying, { cents: 1 }, { rollback: { from: "pya", reason: "x" } });
const execution = launcher.execution(paying, "id");
// @ts-expect-error Argument of type '"piad"' is not assignable to parameter of type '"paid"'
void execution.send("piad", { at: new Date() });
// @ts-expect-error Type 'string' is not assignable to type 'Date'
void execution.send("paid", { at: "today" });
// @ts-expect-error Type 'number' is not assignable to type 'string'
void execution.patchState({ paymentId: 5 }, "found by hand");

// What an editor shows of a workflow: the state after its last step.
const stamped = workflow("stamped", { input: z.object({ cents: z.number() }) }).step("stamp", {
  run: () => ({ paid: true }),
});
// @ts-expect-error Type 'Workflow<{ input: { cents: number; }; state: { cents: number; paid: boolean; }; halfDone:
export const hovered: 0 = stamped;
