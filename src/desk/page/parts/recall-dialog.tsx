/** What begins a recall: how many it would ask is said first, and how it goes about it. */
import { useState } from "react";
import { Link } from "wouter";
import type { Count, ExecutionsQuery } from "../../http/shapes.js";
import { act, useRead } from "../base/api.js";
import { askedInWords } from "../base/query.js";
import { ActDialog } from "./act-dialog.js";
import { Panel } from "./dialog.js";
import { Labelled, TextField } from "./labelled.js";
import { countText, recallPath } from "./pieces.js";
import { Failure } from "./states.js";

interface Props {
  readonly query: ExecutionsQuery;
  readonly close: () => void;
}

const title = "Recall all that fit";

interface How {
  readonly rate: string;
  readonly canary: string;
  readonly atOnce: string;
  readonly onStuck: string;
  readonly order: "newest" | "oldest";
}

const usual: How = { rate: "10/s", canary: "5", atOnce: "100", onStuck: "3", order: "newest" };

const fields = [
  ["rate", "Rate", "30/m: so many in a second, minute or hour"],
  ["canary", "Canary", "So many first, the others once these are rolled back"],
  ["atOnce", "At once", "So many may go down at the same time"],
  ["onStuck", "Pause at", "So many that are stuck or struggling"],
] as const;

export function RecallDialog({ query: { status: _status, after: _after, ...filter }, close }: Props) {
  const completed: ExecutionsQuery = { ...filter, status: ["completed"] };
  const count = useRead<Count>("api/executions/count", { ...completed });
  const [how, change] = useState(usual);
  if (count.data === undefined) {
    return (
      <Panel title={title} close={close}>
        {count.error !== null ? <Failure error={count.error} /> : <p role="status">Counting …</p>}
      </Panel>
    );
  }
  const { data } = count;
  return (
    <ActDialog
      act="recall"
      title={title}
      verb="Begin the recall"
      grave
      reason="required"
      ready={data.count > 0 && Object.keys(filter).length > 0}
      consequence={
        <p>
          <b className="num">{countText(data)}</b> executions {askedInWords(completed)} are asked to go back, one after
          the other. All that they did is undone, and their children with them.
        </p>
      }
      send={(reason) => act("recall", { filter, reason, ...asked(how), ...(!data.more && { expected: data.count }) })}
      answered={({ recall }) => recall !== undefined && <Link href={recallPath(recall)}>Look at the recall</Link>}
      close={close}
    >
      <div className="grid grid-cols-2 gap-3">
        {fields.map(([name, label, help]) => (
          <div key={name} title={help}>
            <TextField label={label} value={how[name]} change={(value) => change({ ...how, [name]: value })} />
          </div>
        ))}
        <Labelled label="First">
          {(id) => (
            <select
              id={id}
              className="field"
              value={how.order}
              onChange={(event) => change({ ...how, order: event.currentTarget.value as How["order"] })}
            >
              <option value="newest">The newest</option>
              <option value="oldest">The oldest</option>
            </select>
          )}
        </Labelled>
      </div>
    </ActDialog>
  );
}

/** The server says what is wrong with a number that is none. */
function asked({ rate, order, ...numbers }: How) {
  const { canary, atOnce, onStuck } = numbers;
  return { rate, order, canary: Number(canary), atOnce: Number(atOnce), onStuck: Number(onStuck) };
}
