import type { ExecutionRecord } from "../../execution/records.js";
import type { Store } from "../contract.js";
import type { MemoryData } from "./shared.js";
import { recordOf } from "./rows.js";

export function claiming(data: MemoryData): Pick<Store, "claim"> {
  const { launchers, dueQueue } = data;
  return {
    claim({ owner, limit, workflows }) {
      const at = data.now();
      const signalled = dueQueue.signalledOf(owner);
      const records: ExecutionRecord[] = [];
      const dueSince: number[] = [];
      // A launcher that was removed takes nothing: nobody would ever free it again.
      const alive = launchers.has(owner);
      for (const row of dueQueue.inTurn(workflows, at, alive ? limit : 0)) {
        dueSince.push(row.record.dueAt!);
        dueQueue.take(row, owner);
        records.push(recordOf(row));
      }
      const nextAt = dueQueue.nextAt(workflows);
      return {
        records,
        dueSince,
        at,
        nextDueInMs: nextAt === null ? null : Math.max(0, nextAt - at),
        signalled,
        alive,
      };
    },
  };
}
