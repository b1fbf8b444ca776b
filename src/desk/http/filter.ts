/** What an act on many chooses by. */
import { badRequest } from "./answers.js";
import { flag, optionalText, texts, type Fields } from "./body.js";
import type { ExecutionsQuery } from "./shapes.js";

/** @throws Refused */
export function filterIn(filter: Fields): ExecutionsQuery {
  const [workflow, root, from, before] = [
    optionalText(filter, "workflow"),
    optionalText(filter, "root"),
    optionalText(filter, "from"),
    optionalText(filter, "before"),
  ];
  const [status, tag] = [texts(filter, "status"), texts(filter, "tag")];
  const children = flag(filter, "children") || undefined;
  const given = { workflow, root, children, from, before, status: status as ExecutionsQuery["status"], tag };
  const unknown = Object.keys(filter).find((name) => !Object.hasOwn(given, name));
  if (unknown !== undefined) throw badRequest(`An act on many does not choose by ${JSON.stringify(unknown)}.`);
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
