/** Checks of the short texts that come with a call: why, by whom, the id of a message, a topic. */
import { StepwellError } from "../errors.js";
import { invalidArgument, longestName, shown } from "../values/options.js";
import { isLine } from "../values/text.js";
import { meansSuccess } from "../values/text.js";

const longestText = 1000;
const longestSource = 255;
const mostBytesOfId = 1800;

/** A text that any store can hold. It may have several lines: it is shown in a history, and in no log. */
export function checkText(text: unknown, where: string): asserts text is string {
  const fits =
    typeof text === "string" &&
    text.trim() !== "" &&
    text.length <= longestText &&
    text.isWellFormed() &&
    !text.includes("\0");
  if (fits) return;
  throw invalidArgument(`${where} must be a text of 1 to ${longestText} characters, not ${shown(text)}`);
}

/** An id from outside stands in indexes, beside a topic, and an index of PostgreSQL takes no more bytes than this. */
export function checkMessageId(id: unknown, where: string): asserts id is string {
  checkText(id, where);
  const bytes = Buffer.byteLength(id);
  if (bytes <= mostBytesOfId) return;
  throw invalidArgument(`${where} must have at most ${mostBytesOfId} bytes of UTF-8, not ${bytes}`);
}

/**
 * The reason of a rollback becomes that of the execution: it stands on one line in logs, and must not
 * read as a success.
 */
export function checkRollbackReason(reason: unknown, where: string): asserts reason is string {
  if (!isLine(reason, longestText)) {
    throw invalidArgument(
      `${where} must be a text of 1 to ${longestText} characters without control characters, such as "customer-returned", not ${shown(reason)}`,
    );
  }
  if (meansSuccess(reason)) {
    throw invalidArgument(
      `${where} must not be ${shown(reason)}, which means success. Say why the execution is to be undone`,
    );
  }
}

/** The name of the person or system that acts. Undefined: not given. */
export function checkBy(by: unknown, where: string): asserts by is string | undefined {
  if (by === undefined || isLine(by, longestSource)) return;
  throw invalidArgument(
    `${where} must be a text of 1 to ${longestSource} characters without control characters, not ${shown(by)}`,
  );
}

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkTopic(topic: unknown, where: string): asserts topic is string {
  if (isLine(topic, longestName)) return;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where}: the topic must be a text of 1 to ${longestName} characters without control characters, ` +
      `such as "payment:p-77", not ${shown(topic)}.`,
  );
}
