/** Messages that are sent to one execution: what is checked before one is stored. */
import type { MessageOptions, Sent } from "../definition/asking.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import type { ExecutionIdentity } from "../definition/observer.js";
import { longestName, refuseUnknownOptions, shown } from "../values/options.js";
import { isLine } from "../values/text.js";
import { validate } from "../definition/schema.js";
import { StepwellError } from "../errors.js";
import type { Arrival, ArrivalResult } from "../stores/batch.js";
import type { Standing } from "../execution/records.js";
import type { Store, StoreWithin, MaybePromise } from "../stores/contract.js";
import { messageTo, payloadOf } from "../session/mailbox-entry.js";
import type { ClientHost } from "../session/client-host.js";
import { type Registered, registryKey } from "../session/registry.js";
import { missing } from "../session/not-found.js";
import { answered } from "../session/patience.js";
import { checkExecutionId } from "../ids.js";
import { asked, callerTransaction } from "../session/caller-transaction.js";
import { andThen, orElse } from "../session/maybe-promise.js";
import { checkMessageId } from "../session/reasons.js";
import { carriedBy } from "../runtime/engine-events.js";
import { changedSince, checkStillAt, type StillAt } from "./still-at.js";

export interface SendOptions extends MessageOptions, StillAt {}

export class MessageSender {
  readonly #store: Store;
  readonly #host: ClientHost;
  readonly #registry: ReadonlyMap<string, Registered>;

  constructor(store: Store, host: ClientHost, registry: ReadonlyMap<string, Registered>) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
  }

  send(id: string, name: string, payload: unknown, options: SendOptions): Promise<Sent> {
    return asked(this.#store, options, "send", () => {
      checkExecutionId(id);
      return andThen(this.#host.ready("send"), () => this.sendReady(id, name, payload, options));
    });
  }

  /** As `send`, of a host that is known to be ready. @param id a checked one */
  sendReady(id: string, name: string, payload: unknown, options: SendOptions): MaybePromise<Sent> {
    refuseUnknownOptions(options, ["messageId", "tx", "ifRevision"], "send");
    const { messageId, tx, ifRevision } = options;
    checkStillAt(ifRevision, "send");
    const within = tx === undefined ? undefined : callerTransaction(this.#store, tx, "send");
    if (messageId !== undefined) checkMessageId(messageId, "send: messageId");
    checkMessageName(name, "send");
    const patiently = <Answer>(answer: MaybePromise<Answer>): MaybePromise<Answer> =>
      answer instanceof Promise ? answered(this.#host.clock, answer) : answer;
    return andThen(patiently((within ?? this.#store).load([id], "standing")), ([standing]) => {
      if (standing === undefined)
        return andThen(missing(this.#store, id), (error) => {
          throw error;
        });
      const arrival = orElse<Arrival | Sent>(
        () => {
          const changed = changedSince(standing, ifRevision, "send");
          if (changed !== undefined) throw changed;
          return this.#arrival(standing, name, payload, messageId);
        },
        (error) => {
          // A message that was sent before is a duplicate, whatever is wrong with it now: a webhook that comes twice is no error.
          if (messageId === undefined) throw error;
          return andThen(patiently((within ?? this.#store).mail({ executions: [id], messageId })), (known) => {
            if (known.length > 0) return { id: messageId, duplicate: true };
            throw error;
          });
        },
      );
      const only = ifRevision === undefined ? {} : { only: { revision: ifRevision, signals: standing.signals } };
      return andThen(arrival, (it) => {
        if ("duplicate" in it) return it;
        const sent = this.#deliver({ ...it, ...only }, standing, within);
        // Something came meanwhile: it may still stand where it stood.
        return andThen(sent, (answer) => answer ?? this.sendReady(id, name, payload, options));
      });
    });
  }

  /** Undefined: it is not as `only` says. */
  #deliver(
    arrival: Arrival,
    { id, workflow }: Standing,
    within: StoreWithin | undefined,
  ): MaybePromise<Sent | undefined> {
    const delivered = within === undefined ? this.#host.committer.deliver(arrival) : deliverWithin(within, arrival);
    return andThen(delivered, (it) => {
      if (it.result === "stored" || it.result === "duplicate") {
        return { id: arrival.messageId ?? it.id, duplicate: it.result === "duplicate" };
      }
      if (it.result === "moved") return undefined;
      throw new StepwellError(
        "STEPWELL_EXECUTION_ENDED",
        `Execution "${id}" has ended and takes no more messages; "${arrival.name}" was not stored.`,
        { execution: id, workflow },
      );
    });
  }

  /** @throws STEPWELL_UNKNOWN_MESSAGE, STEPWELL_INVALID_MESSAGE, STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE */
  #arrival(standing: Standing, name: string, payload: unknown, messageId: string | undefined): MaybePromise<Arrival> {
    const registered = this.#registered(standing);
    const checked = registered === undefined ? undefined : checkMessage(registered, standing.id, name, payload);
    return andThen(checked, () =>
      messageTo(standing.id, name, payloadOf(name, payload, this.#host.sizeLimit), {
        carried: registered === undefined ? null : carriedBy("message", identityOf(standing), registered, this.#host),
        messageId: messageId ?? null,
      }),
    );
  }

  #registered(record: Standing): Registered | undefined {
    return this.#registry.get(registryKey(record.workflow, record.version));
  }
}

function deliverWithin(within: StoreWithin, arrival: Arrival): MaybePromise<ArrivalResult> {
  const written = within.write({ creates: [], transitions: [], releases: [], arrivals: [arrival] });
  return andThen(written, ({ arrivals }) => arrivals[0]!);
}

export function identityOf({ id, workflow, version }: Standing): ExecutionIdentity {
  return { id, workflow, version };
}

/** A name that no step could declare is a mistake, whether the workflow is known here or not. */
export function checkMessageName(name: unknown, where: string): asserts name is string {
  if (isLine(name, longestName)) return;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where}: the name of a message must be a text of 1 to ${longestName} characters without control characters, not ${shown(name)}.`,
  );
}

/** Some step must declare the name, and the schema of one such step must accept the payload. */
export function checkMessage(
  { definition }: Registered,
  id: string,
  name: string,
  payload: unknown,
): MaybePromise<void> {
  const takers = definition.steps.flatMap(({ name: step, messages, rollbackMessages }) =>
    [messages, rollbackMessages].flatMap((declared) =>
      Object.hasOwn(declared, name) ? { step, schema: declared[name]! } : [],
    ),
  );
  const check = (index: number, problems: readonly string[]): MaybePromise<void> => {
    if (index === takers.length) throw refusedMessage(definition, id, name, problems);
    const { step, schema } = takers[index]!;
    return andThen(validate(schema, payload), (checked) =>
      checked.ok ? undefined : check(index + 1, [...problems, `${step}: ${checked.problem}`]),
    );
  };
  return check(0, []);
}

function refusedMessage(
  definition: WorkflowDefinition,
  id: string,
  name: string,
  problems: readonly string[],
): StepwellError {
  const about = { execution: id, workflow: definition.name };
  if (problems.length > 0) {
    const message = `Message "${name}" to execution "${id}" was not stored: its payload was refused. ${problems.join("; ")}`;
    return new StepwellError("STEPWELL_INVALID_MESSAGE", message, about);
  }
  const known = definition.steps.flatMap((step) => [
    ...Object.keys(step.messages),
    ...Object.keys(step.rollbackMessages),
  ]);
  return new StepwellError(
    "STEPWELL_UNKNOWN_MESSAGE",
    `No step of workflow "${definition.name}" declares a message "${name}"; nothing was stored. ` +
      (known.length === 0 ? "It declares none." : `It declares: ${[...new Set(known)].join(", ")}.`),
    about,
  );
}
