/** A delivery in four steps, each of which takes a moment. */
import { setTimeout as pause } from "node:timers/promises";
import { workflow } from "stepwell";
import { z } from "zod";

const moment = (): Promise<void> => pause(50);

export const delivery = workflow("delivery", { input: z.object({ to: z.string() }) })
  .step("pack", { run: moment, rollback: moment })
  .step("load", { run: moment, rollback: moment })
  .step("drive", { run: moment })
  .step("hand-over", { run: moment });
