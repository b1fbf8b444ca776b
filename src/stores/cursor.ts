import { StepwellError } from "../errors.js";

/** Where a page of a list ended. By creation time, then by the order of creation. */
export interface ListPlace {
  readonly createdAt: number;
  readonly sequence: number;
}

export function cursorOf({ createdAt, sequence }: ListPlace): string {
  return `${createdAt}_${sequence}`;
}

/** Before the first of them. */
export const firstPlace: ListPlace = { createdAt: 0, sequence: 0 };

/** @throws STEPWELL_INVALID_ARGUMENT for a text that no page gave */
export function placeOf(cursor: string): ListPlace {
  const parts = /^(\d{1,16}(?:\.\d+)?)_(\d{1,16})$/.exec(cursor);
  if (parts === null) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `list: "after" must be the cursor of the page before, not ${JSON.stringify(cursor)}.`,
    );
  }
  return { createdAt: Number(parts[1]), sequence: Number(parts[2]) };
}
