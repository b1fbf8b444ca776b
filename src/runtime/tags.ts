/** The words that executions are found by. */
import { StepwellError } from "../errors.js";

export const mostTags = 32;
const longestTag = 128;

/** Each one once. @throws STEPWELL_INVALID_ARGUMENT */
export function checkedTags(tags: unknown, where: string, most = mostTags): readonly string[] {
  if (Array.isArray(tags) && tags.length <= most && tags.every(isTag)) return [...new Set(tags)];
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where}: "tags" must be an array of at most ${most} texts of 1 to ${longestTag} characters.`,
  );
}

function isTag(tag: unknown): tag is string {
  return (
    typeof tag === "string" && tag.length > 0 && tag.length <= longestTag && tag.isWellFormed() && !tag.includes("\0")
  );
}
