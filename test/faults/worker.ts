/** A launcher or a client in a process of its own, which may be killed or paused at any moment: `address effects settings role`. */
import { silentLogger } from "../../src/definition/logger.js";
import { setTimeout } from "node:timers/promises";
import { isRetryable } from "../../src/errors.js";
import { Client, Launcher, StepwellError } from "../../src/index.js";
import { Effects } from "./effects.js";
import { storeAt } from "./store.js";
import { trips } from "./trips.js";
import type { LauncherSettings, Order, Told } from "./team.js";

const [address, path, settings, role] = process.argv.slice(2);
const effects = new Effects(path!);
const workflows = trips(effects);
const tell = (told: Told): void => void process.send?.(told);

const launcher =
  role === "client"
    ? new Client({ store: storeAt(address!) })
    : new Launcher({
        store: storeAt(address!),
        workflows,
        ...(JSON.parse(settings!) as LauncherSettings),
        // Its steps fail on purpose.
        logger: silentLogger,
        onError: (error) => tell({ type: "error", code: error.code, message: error.message }),
      });
for (;;) {
  try {
    if (launcher instanceof Launcher) await launcher.start();
    break;
  } catch (error) {
    // The store is away for a while.
    if (!isRetryable(error)) throw error;
    await setTimeout(100);
  }
}

async function follow(order: Order): Promise<unknown> {
  switch (order.what) {
    case "launch": {
      const trip = workflows.find(({ name }) => name === order.workflow)!;
      return (await launcher.launch(trip, order.input, { id: order.id })).id;
    }
    case "send":
      return launcher.send(order.id, order.name, { at: 1 }, { messageId: order.messageId });
    case "publish":
      return launcher.publish(order.topic, order.name, { at: 1 }, { messageId: order.messageId });
    case "rollback":
      return launcher.rollback(order.id, "recalled");
  }
}

process.on("message", (order: Order) => {
  follow(order).then(
    (value) => tell({ type: "done", number: order.number, value }),
    (error: unknown) =>
      tell({
        type: "refused",
        number: order.number,
        code: error instanceof StepwellError ? error.code : String(error),
      }),
  );
});
process.on("disconnect", () => process.exit());
tell({ type: "ready" });
