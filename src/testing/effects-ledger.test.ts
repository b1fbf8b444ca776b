import { expect, test } from "vitest";
import { EffectsLedger } from "./effects-ledger.js";

function ledgerWith(...effects: string[]): EffectsLedger {
  const ledger = new EffectsLedger();
  for (const effect of effects) ledger.do(effect);
  return ledger;
}

test("what is done and undone in reverse order leaves the ledger clean", () => {
  const ledger = ledgerWith("a", "b");
  expect(ledger.done).toEqual(["a", "b"]);
  ledger.assertDone(["a", "b"]);
  ledger.undo("b");
  ledger.undo("a");
  ledger.assertClean();
  expect(ledger.entries.map(({ kind, effect }) => `${kind} ${effect}`)).toEqual(["do a", "do b", "undo b", "undo a"]);
});

test("an undo of what was not done names what was expected", () => {
  expect(() => new EffectsLedger().undo("a")).toThrow(
    'Undo of "a", which is not done: expected no undo. Done are: nothing.',
  );
  expect(() => ledgerWith("a").undo("b")).toThrow('Undo of "b", which is not done: expected the undo of "a"');
});

test("an undo before that of a later effect names the later one", () => {
  expect(() => ledgerWith("a", "b").undo("a")).toThrow(
    'Undo of "a" out of order: expected the undo of "b", which was done later. Done are: a, b.',
  );
});

test("an undo is refused the second time", () => {
  const ledger = ledgerWith("a");
  ledger.undo("a");
  expect(() => ledger.undo("a")).toThrow("which is not done");
});

test("a wrong undo whose error was swallowed fails the asserts all the same, and is not entered", () => {
  const ledger = ledgerWith("a", "b");
  expect(() => ledger.undo("a", "key")).toThrow("out of order");
  ledger.undo("b");
  ledger.undo("a", "key");
  expect(ledger.done).toEqual([]);
  expect(() => ledger.assertClean()).toThrow("out of order");
});

test("the same key twice is one effect, and one undo", () => {
  const ledger = new EffectsLedger();
  ledger.do("charge", "run-key");
  ledger.do("charge", "run-key");
  ledger.assertDone(["charge"]);
  ledger.undo("charge", "rollback-key");
  ledger.undo("charge", "rollback-key");
  ledger.do("charge", "run-key");
  ledger.assertClean();
  expect(ledger.entries).toHaveLength(2);
});

test("an effect without a key happens as often as it is done", () => {
  expect(() => ledgerWith("a", "a").assertDone(["a"])).toThrow("Got: a, a.");
});

test("an undo under the key of its run is refused: a real API would take it for the run", () => {
  const ledger = new EffectsLedger();
  ledger.do("charge", "key");
  expect(() => ledger.undo("charge", "key")).toThrow(
    'One key for two effects: expected do "charge" for "key", got undo "charge".',
  );
  expect(() => ledger.assertDone(["charge"])).toThrow("One key for two effects");
});

test("the asserts say what was expected and what was got", () => {
  expect(() => ledgerWith("a", "b").assertClean()).toThrow("Expected to be done and not undone: nothing. Got: a, b.");
  expect(() => ledgerWith("a", "b").assertDone(["b", "a"])).toThrow("b, a. Got: a, b.");
});
