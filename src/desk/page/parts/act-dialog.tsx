/**
 * Asks before an act: what it does in a sentence, and why it is done. An act on one execution carries the revision that the reader saw;
 * where the execution has gone on, it is refused, and the dialog says what has happened since and asks again.
 */
import { useState, type ReactNode } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { ActAnswer, Refusal } from "../../http/act-shapes.js";
import type { ActName } from "../../model/words.js";
import { RequestFailed } from "../base/api.js";
import { Icon } from "../base/icons.js";
import { Clock } from "../base/time.js";
import { Button } from "./button.js";
import { Panel } from "./dialog.js";

interface Props {
  readonly act: ActName;
  readonly title: string;
  /** What comes of it. */
  readonly consequence: ReactNode;
  /** The word on the button that does it. */
  readonly verb: string;
  readonly grave?: boolean;
  readonly reason: "required" | "optional" | "none";
  /** Whether what is asked beside the reason has been given. */
  readonly ready?: boolean;
  /** That the reader saw. 0: the act is not on one execution. */
  readonly revision?: number;
  /** More to be given, above the reason. */
  readonly children?: ReactNode;
  readonly send: (reason: string, revision: number) => Promise<ActAnswer>;
  readonly answered?: (answer: ActAnswer) => ReactNode;
  readonly close: () => void;
}

interface Asked {
  readonly revision: number;
  readonly busy: boolean;
  readonly answer?: ActAnswer;
  readonly refusal?: unknown;
  /** What the act would do now, after all that has happened. Null: it is not possible any more. */
  readonly consequence?: string | null;
}

function useAct({ act, revision = 0, send }: Props): [Asked, (reason: string) => Promise<void>] {
  const [asked, setAsked] = useState<Asked>({ revision, busy: false });
  const queries = useQueryClient();
  const run = async (reason: string): Promise<void> => {
    setAsked({ ...asked, busy: true, refusal: undefined });
    try {
      const answer = await send(reason, asked.revision);
      setAsked({ ...asked, busy: false, answer });
    } catch (refusal) {
      const changed = refusal instanceof RequestFailed ? refusal.changed : undefined;
      const offer = changed?.words?.acts.find((one) => one.act === act);
      setAsked({
        busy: false,
        refusal,
        revision: changed?.execution?.revision ?? asked.revision,
        ...(changed?.words !== undefined && { consequence: offer?.consequence ?? null }),
      });
    }
    await queries.invalidateQueries({ predicate: ({ queryKey: [path] }) => String(path).startsWith("api/") });
  };
  return [asked, run];
}

export function ActDialog(props: Props) {
  const { title, verb, grave = false, reason, ready = true, children, answered, close } = props;
  const [why, setWhy] = useState("");
  const [asked, run] = useAct(props);
  const { busy, answer, refusal, consequence = props.consequence } = asked;
  if (answer !== undefined) return <Answer title={title} answer={answer} more={answered?.(answer)} close={close} />;
  const isMissing = !ready || consequence === null || (reason === "required" && why.trim() === "");
  return (
    <Panel title={title} close={close}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isMissing && !busy) void run(why.trim());
        }}
      >
        {refusal !== undefined && <Refused error={refusal} />}
        <div className="flex gap-3">
          <Icon name={grave ? "stuck" : "right"} className={`mt-0.5 size-5 ${grave ? "text-bad" : "text-water"}`} />
          <div className="text-any min-w-0 flex-1">{consequence ?? "That is not possible any more."}</div>
        </div>
        {children}
        {reason !== "none" && <Reason why={why} setWhy={setWhy} required={reason === "required"} />}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" look={grave ? "danger" : "main"} disabled={isMissing || busy}>
            {busy ? "Asking …" : verb}
          </Button>
        </div>
      </form>
    </Panel>
  );
}

interface ReasonProps {
  readonly why: string;
  readonly setWhy: (why: string) => void;
  readonly required: boolean;
}

function Reason({ why, setWhy, required }: ReasonProps) {
  return (
    <label className="flex flex-col gap-1.5">
      <span className="font-medium">
        Reason{" "}
        <span className="font-normal text-faint">
          {required ? "(kept in the history)" : "(optional, kept in the history)"}
        </span>
      </span>
      <textarea
        className="field min-h-18"
        value={why}
        maxLength={1000}
        required={required}
        onInput={(event) => setWhy(event.currentTarget.value)}
      />
    </label>
  );
}

interface AnswerProps {
  readonly title: string;
  readonly answer: ActAnswer;
  readonly more: ReactNode;
  readonly close: () => void;
}

function Answer({ title, answer: { said, decided }, more, close }: AnswerProps) {
  const isDone = decided === "done";
  return (
    <Panel title={title} close={close}>
      <div role="status" className="flex flex-col gap-4">
        <div className="flex gap-3">
          <Icon name={isDone ? "done" : "waiting"} className={`mt-0.5 size-5 ${isDone ? "text-good" : "text-wait"}`} />
          <p className="text-any min-w-0 flex-1">{said}</p>
        </div>
        {more}
        <Button look="main" className="self-end" onClick={close}>
          Close
        </Button>
      </div>
    </Panel>
  );
}

function Refused({ error }: { readonly error: unknown }) {
  const failed = error instanceof RequestFailed ? error : undefined;
  return (
    <div role="alert" className="rounded-lg border border-warn bg-warn-tint px-4 py-3">
      <p className="font-semibold text-warn">
        {failed?.changed === undefined ? "Refused" : "It has gone on since you looked, and nothing was changed."}
      </p>
      {failed?.changed === undefined ? (
        <p className="text-any mt-1">{error instanceof Error ? error.message : String(error)}</p>
      ) : (
        <Since changed={failed.changed} />
      )}
    </div>
  );
}

/** What has happened since, the newest first. */
function Since({ changed: { words, since = [], count } }: { readonly changed: NonNullable<Refusal["changed"]> }) {
  return (
    <>
      {words !== undefined && <p className="text-any mt-1">{words.headline}</p>}
      {count !== undefined && <p className="mt-1">There are {count.count.toLocaleString("en")} now.</p>}
      <ul className="mt-2 flex flex-col gap-1 text-sm text-soft">
        {since.slice(0, 5).map(({ revision, at, step, func, result, by }) => (
          <li key={revision} className="text-any">
            <Clock at={at} /> {step}: {func}, {result}
            {by !== undefined && `, by ${by}`}
          </li>
        ))}
      </ul>
      <p className="mt-2 font-medium">Do you still want this?</p>
    </>
  );
}
