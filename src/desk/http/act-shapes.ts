/** The JSON of the desk's acts, and of refusals. Where each is sent stands in `shapes.ts`. */
import type { Words } from "../model/words.js";
import type { Count, ExecutionLine, ExecutionsQuery, TransitionView } from "./shapes.js";

/** `revision`: the one that the page showed. Has the execution gone on, the act is refused with code `DESK_CHANGED`. */
export interface OnOne {
  readonly execution: string;
  readonly revision: number;
}

/** The bodies. `patch`, `payload` and `input` are texts of JSON, which the server reads. Who acts is never in a body. */
export interface Acts {
  readonly send: OnOne & { readonly name: string; readonly payload: string; readonly messageId?: string };
  readonly publish: {
    readonly topic: string;
    readonly name: string;
    readonly payload: string;
    readonly messageId?: string;
  };
  /** `ifCompleted`: Default: "undo". */
  readonly rollback: OnOne & { readonly reason: string; readonly ifCompleted?: "undo" | "refuse" };
  /** `to`: the step to go back to. `patch`: merged where it goes up again. `repeat`: irreversible steps that may be done again. */
  readonly rewind: OnOne & {
    readonly to: string;
    readonly reason: string;
    readonly patch?: string;
    readonly repeat?: readonly string[];
  };
  /** With `patch`: the state is mended first, in the same transition. */
  readonly retry: OnOne & { readonly reason?: string; readonly patch?: string };
  /** With `happened`, fields as JSON: it happened, and the step gave these. Without: it did not happen. */
  readonly resolve: OnOne & { readonly reason: string; readonly happened?: string };
  readonly skip: OnOne & { readonly reason: string; readonly patch?: string };
  readonly patch: OnOne & { readonly reason: string; readonly patch: string };
  readonly launch: {
    readonly workflow: string;
    readonly version: string;
    readonly input: string;
    readonly id?: string;
    readonly tags?: readonly string[];
  };
  readonly "schedule-pause": { readonly name: string };
  readonly "schedule-resume": { readonly name: string };
  readonly "schedule-trigger": { readonly name: string };
  readonly resend: { readonly execution: string; readonly id: string; readonly to?: string; readonly as?: string };
  /** `dry`: only says what would become of them. `expected`: the count that the page showed; more than that is refused, and so are more than 100. */
  readonly "bulk-rollback": BulkBody & { readonly reason: string };
  readonly "bulk-retry": BulkBody & { readonly reason?: string };
  readonly "bulk-resend": {
    readonly workflow?: string;
    readonly execution?: string;
    readonly name?: string;
    readonly dry?: boolean;
    readonly expected?: number;
  };
  /** Of what has completed and was launched by itself, so not with `root` or `children`. `expected`: as above. The others as in `client.recall`. */
  readonly recall: Pick<BulkBody, "filter" | "expected"> & {
    readonly reason: string;
    readonly order?: "newest" | "oldest";
    readonly rate?: string;
    readonly atOnce?: number;
    readonly canary?: number;
    readonly onStuck?: number;
  };
  readonly "recall-pause": OnRecall;
  readonly "recall-resume": OnRecall;
  readonly "recall-stop": OnRecall;
}

export interface OnRecall {
  readonly recall: string;
  readonly reason?: string;
}

export interface BulkBody {
  readonly filter: Omit<ExecutionsQuery, "limit" | "after" | "id" | "direction" | "reason">;
  readonly dry?: boolean;
  readonly expected?: number;
}

export interface ActAnswer {
  /** What was done, in a sentence for people. */
  readonly said: string;
  /** The execution that came of it, or that was acted on. */
  readonly execution?: string;
  /** The recall that came of it, or that was acted on. */
  readonly recall?: string;
  /** `undecided`: it is stored, and no launcher has decided on it yet. */
  readonly decided: "done" | "undecided";
  readonly bulk?: BulkView;
}

export interface BulkView {
  readonly dry: boolean;
  readonly matched: number;
  readonly accepted: number;
  /** The first 100. */
  readonly refused: readonly { readonly id: string; readonly code: string; readonly message: string }[];
  readonly refusedInAll: number;
  readonly undecided: number;
  readonly aborted: boolean;
}

/** Codes of the desk itself; others are those of `docs/errors.md`. */
export type DeskCode =
  | "DESK_SIGN_IN"
  | "DESK_FORBIDDEN"
  | "DESK_BAD_HOST"
  | "DESK_BAD_ORIGIN"
  | "DESK_BAD_REQUEST"
  | "DESK_TOO_LARGE"
  | "DESK_NOT_FOUND"
  | "DESK_CHANGED"
  | "DESK_TOO_MANY"
  | "DESK_FAILED";

export interface Refusal {
  readonly error: { readonly code: DeskCode | `STEPWELL_${string}`; readonly message: string };
  /** With `DESK_CHANGED`: what has happened since, the newest first, and where the execution stands now. */
  readonly changed?: {
    readonly execution?: ExecutionLine;
    readonly since?: readonly TransitionView[];
    readonly words?: Words;
    /** Of a bulk act: how many there are now. */
    readonly count?: Count;
  };
}
