/** The `client` of step functions: launches, messages and publications under ids that come from the idempotency key of the call. */
import type {
  LaunchOptions,
  MessageOptions,
  Published,
  PublishOptions,
  Sent,
  StepClient,
} from "../definition/asking.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { definitionOf } from "../definition/definition-of.js";
import { askedId, checkExecutionId } from "../ids.js";
import { asked } from "../session/caller-transaction.js";
import type { ClientHost } from "../session/client-host.js";
import type { AskingCall } from "../session/host.js";
import { andThen } from "../session/maybe-promise.js";
import { patiently } from "../session/patience.js";
import { checkTopic } from "../session/reasons.js";
import type { Registered } from "../session/registry.js";
import type { MaybePromise, Store } from "../stores/contract.js";
import { refuseUnknownOptions } from "../values/options.js";
import { Launches } from "./launches.js";
import { checkMessageName, MessageSender } from "./messages.js";
import { publish } from "./publishing.js";

interface StepHost extends ClientHost {
  /** Nothing is driven here any more. */
  readonly isStopped: boolean;
}

type WithTransaction = { readonly tx?: unknown } | null;

/** What does what a step function asks for, under an id: what is there already is not done again. */
export interface StepActs {
  launch(workflow: AnyWorkflow, input: unknown, options: LaunchOptions): MaybePromise<unknown>;
  send(id: string, name: string, payload: unknown, options: MessageOptions): MaybePromise<Sent>;
  publish(topic: string, name: string, payload: unknown, options: PublishOptions): MaybePromise<Published>;
  /** For as long as it takes. */
  patiently<Answer>(call: AskingCall, act: () => Promise<Answer>): Promise<Answer>;
  /** It commits with the caller's transaction, or not at all, and is over before that is. */
  within<Answer>(options: WithTransaction, what: string, act: () => MaybePromise<Answer>): Promise<Answer>;
}

/** A launcher that drains takes no requests from outside, but those of the steps that it lets finish. */
export function stepClients(
  store: Store,
  host: StepHost,
  registry: ReadonlyMap<string, Registered>,
): (call: AskingCall) => StepClient {
  const launches = new Launches(store, host);
  const messages = new MessageSender(store, host, registry);
  const acts: StepActs = {
    launch: (workflow, input, options) =>
      andThen(host.registered(workflow), (registered) => launches.launchOf(registered, input, options)),
    send: (id, name, payload, options) => messages.sendReady(id, name, payload, options),
    publish: (topic, name, payload, options) => publish(store, host, registry, topic, name, payload, options),
    patiently: (call, act) => patiently(host.clock, Infinity, () => call.isWanted && !host.isStopped, act),
    within: (options, what, act) => asked(store, options, what, act),
  };
  return (call) => new CallClient(call, acts);
}

export class CallClient implements StepClient {
  readonly #call: AskingCall;
  readonly #acts: StepActs;
  /** How many there were that are alike. */
  readonly #counts = new Map<string, number>();

  constructor(call: AskingCall, acts: StepActs) {
    this.#call = call;
    this.#acts = acts;
  }

  /** The same, where others do what is asked for. */
  doneBy(acts: StepActs): StepClient {
    return new CallClient(this.#call, acts);
  }

  launch(workflow: AnyWorkflow, input: unknown, options: LaunchOptions = {}): Promise<{ readonly id: string }> {
    const alike = (): Alike => ({ names: [definitionOf(workflow).name] });
    return this.#ask("launch", alike, options, options?.id, (id) =>
      andThen(this.#acts.launch(workflow, input, { ...options, id }), () => ({ id })),
    );
  }

  send(id: string, name: string, payload: unknown, options: MessageOptions = {}): Promise<Sent> {
    const alike = (): Alike => {
      checkExecutionId(id);
      checkMessageName(name, "send");
      return { to: id, names: [name] };
    };
    return this.#ask("send", alike, options, options?.messageId, (messageId) =>
      this.#acts.send(id, name, payload, { ...options, messageId }),
    );
  }

  publish(topic: string, name: string, payload: unknown, options: PublishOptions = {}): Promise<Published> {
    const alike = (): Alike => {
      checkTopic(topic, "publish");
      checkMessageName(name, "publish");
      // Who is subscribed to two topics has a message of each.
      return { names: [topic, name] };
    };
    return this.#ask("publish", alike, options, options?.messageId, (messageId) =>
      this.#acts.publish(topic, name, payload, { ...options, messageId }),
    );
  }

  /**
   * @param alike refuses what can't be asked
   * @param given an id that the function has given
   */
  #ask<Answer>(
    what: string,
    alike: () => Alike,
    options: WithTransaction,
    given: string | undefined,
    act: (id: string) => MaybePromise<Answer>,
  ): Promise<Answer> {
    const idOf = (): string => {
      if (typeof options !== "object" || options === null) refuseUnknownOptions(options, [], `client.${what}`);
      const which = alike();
      return given ?? this.#idOf(what, which);
    };
    if (options?.tx !== undefined) return this.#acts.within(options, `client.${what}`, () => act(idOf()));
    return this.#call.ask(what, async () => {
      const id = idOf();
      return this.#acts.patiently(this.#call, async () => act(id));
    });
  }

  #idOf(what: string, { names, to }: Alike): string {
    const which = JSON.stringify([what, names, to]);
    const number = (this.#counts.get(which) ?? 0) + 1;
    this.#counts.set(which, number);
    return askedId(this.#call.idempotencyKey, names, number);
  }
}

/** What calls of one kind have in common that are told apart by their order. */
interface Alike {
  /** What the id is made of. */
  readonly names: readonly string[];
  /** The execution that gets it, whose ids are its own. */
  readonly to?: string;
}
