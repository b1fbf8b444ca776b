/** Transfers, those of one account one after the other, on a virtual clock: which runs when, which goes first, which need not wait. */
import { Launcher, memoryStore, workflow } from "stepwell";
import { VirtualClock } from "stepwell/testing";
import { z } from "zod";

const clock = new VirtualClock();
const began = clock.now();
const tell = (id: string, what: string): void => console.log(`${(clock.now() - began) / 1000} s: ${id} ${what}`);

const transfer = workflow("transfer", {
  input: z.object({ account: z.string() }),
  // At most three transfers at the same time, of each account one; and at most four begin in any ten seconds.
  concurrency: [{ limit: 3 }, { limit: 1, key: (state) => state.account }],
  rate: { limit: 4, per: "10s" },
}).step("book", {
  run: async ({ execution }) => {
    tell(execution.id, "begins");
    await new Promise<void>((resolve) => clock.after(2000, resolve));
  },
  rollback: ({ execution }) => tell(execution.id, "is undone"),
});

const launcher = new Launcher({ store: memoryStore({ clock }), workflows: [transfer] });
await launcher.start();

for (const id of ["anna-1", "anna-2", "anna-3", "bert-1", "carl-1", "dora-1"]) {
  await launcher.launch(transfer, { account: id.slice(0, 4) }, { id });
}
await clock.advance(500);

// Each step of priority is worth a minute of waiting: so it goes before anna-2, which has waited for half a second.
await launcher.launch(transfer, { account: "anna" }, { id: "anna-urgent", priority: 1 });
// A transfer that waits ends without ever having run.
await launcher.rollback("anna-3", "changed-my-mind");
for (let i = 0; i < 20; i++) await clock.advance(250);

// An undo waits for no limit, not even for the rate, which is used up.
await launcher.rollback("anna-1", "disputed");
for (let i = 0; i < 60; i++) await clock.advance(250);

const { executions } = await launcher.list();
for (const { id, status } of executions.toReversed()) console.log(id, status);
await launcher.stop();
