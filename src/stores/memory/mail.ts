import type { Store } from "../contract.js";
import { countDeadMail, countPending, deadMail, mailOf } from "../held.js";
import type { MemoryData } from "./shared.js";

export function mail(data: MemoryData): Pick<Store, "mail" | "deadMail" | "countDeadMail" | "countPending"> {
  const { rows } = data;
  return {
    mail(filter) {
      data.mustBeOpen();
      return filter.executions.flatMap((id) => {
        const row = rows.get(id);
        return row?.mailbox === undefined ? [] : mailOf({ ...row, mailbox: row.mailbox.candidates(filter) }, filter);
      });
    },
    deadMail(filter) {
      data.mustBeOpen();
      return deadMail(rows.values(), filter);
    },
    countDeadMail(conditions, lookAt) {
      data.mustBeOpen();
      return countDeadMail(rows.values(), conditions, lookAt);
    },
    countPending(execution, upTo) {
      data.mustBeOpen();
      return countPending(rows.get(execution)?.mailbox?.pending ?? [], upTo);
    },
  };
}
