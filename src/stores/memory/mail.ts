import type { Store } from "../contract.js";
import { countMail, deadMail, isOfDead, mailOf } from "../held.js";
import type { MemoryData } from "./shared.js";

export function mail(data: MemoryData): Pick<Store, "mail" | "countMail"> {
  const { rows } = data;
  return {
    mail(filter) {
      data.mustBeOpen();
      if (isOfDead(filter)) return deadMail(rows.values(), filter);
      return filter.executions.flatMap((id) => {
        const row = rows.get(id);
        return row?.mailbox === undefined ? [] : mailOf({ ...row, mailbox: row.mailbox.candidates(filter) }, filter);
      });
    },
    countMail(conditions) {
      data.mustBeOpen();
      return countMail(rows.values(), conditions);
    },
  };
}
