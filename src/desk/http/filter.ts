/** What an act on many chooses by. */
import { badRequest } from "./answers.js";
import { optionalText, texts, type Fields } from "./body.js";
import type { ExecutionsQuery } from "./shapes.js";

/** @throws Refused */
export function filterIn(filter: Fields): ExecutionsQuery {
  const [workflow, from, before] = [
    optionalText(filter, "workflow"),
    optionalText(filter, "from"),
    optionalText(filter, "before"),
  ];
  const [status, tag] = [texts(filter, "status"), texts(filter, "tag")];
  const unknown = Object.keys(filter).find((name) => !["workflow", "from", "before", "status", "tag"].includes(name));
  if (unknown !== undefined) throw badRequest(`An act on many does not choose by ${JSON.stringify(unknown)}.`);
  const given = { workflow, from, before, status: status as ExecutionsQuery["status"], tag };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
