/**
 * `npm run bench`: figures of this machine, as ratios to a raw limit where there is one.
 * `npm run bench -- --json` prints one object a line; `-- memory observers sqlite parked postgres
 * mailbox waiters clock` picks groups.
 */
import { clock } from "./clock.js";
import { mailbox } from "./mailbox.js";
import { memory } from "./memory.js";
import { observers } from "./observers.js";
import { parked } from "./parked.js";
import { postgres } from "./postgres.js";
import { print, rounded, type Figure } from "./report.js";
import { sqlite } from "./sqlite.js";
import { waiters } from "./waiters.js";

const groups: Record<string, () => Promise<Figure[]>> = {
  memory,
  observers,
  sqlite,
  parked,
  postgres,
  mailbox,
  waiters,
  clock,
};

const words = process.argv.slice(2);
const asJson = words.includes("--json");
const picked = words.filter((word) => word !== "--json");
const unknown = picked.find((word) => !(word in groups));
if (unknown !== undefined) {
  console.error(`No group "${unknown}". There are: ${Object.keys(groups).join(", ")}, and --json.`);
  process.exitCode = 2;
} else {
  for (const name of picked.length > 0 ? picked : Object.keys(groups)) {
    for (const figure of await groups[name]!()) print({ ...figure, value: rounded(figure.value) }, asJson);
  }
}
