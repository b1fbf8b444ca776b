/**
 * A table is booked and paid: a step that only some orders need, one that polls until the kitchen is ready, a sleep, a wait for an
 * answer, and a step that the order can do without. `npx tsx examples/small-steps/example.ts`, after `npm run build`.
 */
import { again, fail, Launcher, memoryStore, workflow, type Execution } from "stepwell";
import { z } from "zod";

const kitchen = { timesAsked: 0 };

const dinner = workflow("dinner", { input: z.object({ table: z.number(), isMember: z.boolean() }) })
  .step("discount", {
    when: ({ state }) => state.isMember,
    otherwise: () => ({ percent: 0 }),
    run: () => ({ percent: 10 }),
    rollback: () => console.log("  the discount is taken back"),
  })
  .step("cook", {
    deadline: "1m",
    run: ({ polls }) => {
      kitchen.timesAsked++;
      return polls < 2 ? again({}, { after: "20ms" }) : { asked: polls + 1 };
    },
    irreversible: "It is eaten.",
  })
  .step("recommend-wine", {
    run: () => {
      throw new Error("the sommelier is ill");
    },
    recover: ({ reason }) => ({ wine: `none (${reason})` }),
    rollback: () => console.log("  no bottle is opened"),
  })
  .sleep("digest", "30ms")
  .waitFor(
    "bill",
    { paid: z.object({ cents: z.number() }), left: z.null() },
    {
      timeout: "1h",
      onMessage: ({ message }) =>
        message.name === "paid" ? { cents: message.payload.cents } : fail("left-without-paying"),
    },
  );

async function show(what: string, execution: Execution): Promise<void> {
  const { status, reason } = await execution.outcome();
  console.log(`${what}: ${status} (${reason})`);
  for (const { func, step, result } of await execution.history()) console.log(`  ${func} ${step}: ${result}`);
}

console.log(String(dinner));
await using launcher = new Launcher({ store: memoryStore(), workflows: [dinner], onError: () => undefined });
await launcher.start();

const member = await launcher.launch(dinner, { table: 1, isMember: true });
await member.send("paid", { cents: 4200 });
await show("a member who pays", member);

const guest = await launcher.launch(dinner, { table: 2, isMember: false });
await guest.send("left", null);
await show("a guest who leaves", guest);
console.log(`the kitchen was asked ${kitchen.timesAsked} times`);
