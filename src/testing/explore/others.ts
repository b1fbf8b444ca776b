/**
 * The other executions, as far as an exploration knows them: steps may launch them, send to them, and publish to topics, and what was asked
 * of them is remembered, each once under its id. Of the executions that are explored the store knows.
 */
import { definitionOf } from "../../definition/definition-of.js";
import { validate } from "../../definition/schema.js";
import type { CallClient, StepActs } from "../../client/step-client.js";
import { StepwellError } from "../../errors.js";
import { encode } from "../../values/encode.js";
import type { CalledContext } from "./instrumented.js";

/** What a step has asked of an execution that is not explored, by its `client`. */
export interface Asked {
  readonly what: "launch" | "send" | "publish";
  /** The workflow that was launched, the execution that the message went to, or the topic. */
  readonly to: string;
  /** Of the message. */
  readonly name?: string;
  /** The id of the execution that was launched, or of the message. */
  readonly id: string;
  /** The input or the payload. */
  readonly value: unknown;
}

interface Remembered {
  readonly asked: Asked;
  /** Of its value. */
  readonly text: string;
}

interface Asking {
  /** The one that the engine gives. */
  readonly client?: CallClient;
}

export class Others {
  readonly #asked = new Map<string, Remembered>();
  readonly #isExplored: (id: string) => boolean;

  constructor(isExplored: (id: string) => boolean) {
    this.#isExplored = isExplored;
  }

  /** In order. */
  get asked(): readonly Asked[] {
    return [...this.#asked.values()].map(({ asked }) => asked);
  }

  /** All that later answers depend on. */
  get snapshot(): readonly string[] {
    return [...this.#asked].map(([key, { text }]) => `${key} ${text}`);
  }

  /** From now on the function that is called with it asks these. */
  listenTo(context: CalledContext & Asking): void {
    const real = context.client;
    // A probe asks nobody.
    if (real === undefined) return;
    const value = real.doneBy(this.#acts(real));
    Object.defineProperty(context, "client", { value, configurable: true });
  }

  #acts(real: CallClient): StepActs {
    return {
      launch: (workflow, input, { id }) => this.#launch(workflow, input, id!),
      send: async (to, name, payload, options) => {
        if (this.#isExplored(to)) return real.send(to, name, payload, options);
        const { messageId } = options;
        return { id: messageId!, duplicate: !this.#remember({ what: "send", to, name, id: messageId! }, payload) };
      },
      publish: async (to, name, payload, options) => {
        // Those that are explored may be subscribed.
        const { delivered } = await real.publish(to, name, payload, options);
        const id = options.messageId!;
        return { id, duplicate: !this.#remember({ what: "publish", to, name, id }, payload), delivered };
      },
      patiently: (_, act) => act(),
      within: async (_, what) => {
        throw new StepwellError(
          "STEPWELL_CAPABILITY_MISSING",
          `${what} with "tx": an exploration has a memory store, which has no transactions.`,
        );
      },
    };
  }

  async #launch(workflow: Parameters<StepActs["launch"]>[0], input: unknown, id: string): Promise<void> {
    const { name, input: schema } = definitionOf(workflow);
    const checked = await validate(schema, input);
    if (!checked.ok) {
      const message = `The input of workflow "${name}" was refused by its schema: ${checked.problem}`;
      throw new StepwellError("STEPWELL_INVALID_INPUT", message, { workflow: name, execution: id });
    }
    this.#remember({ what: "launch", to: name, id }, input);
  }

  /** False: it was there. */
  #remember(asked: Omit<Asked, "value">, value: unknown): boolean {
    const { text, value: copy } = encode(value, { what: "What a step has asked for" });
    const { what, to, id } = asked;
    const key = what === "launch" ? `launch ${id}` : `${what} ${to} ${id}`;
    const known = this.#asked.get(key);
    if (known === undefined) this.#asked.set(key, { asked: { ...asked, value: copy }, text });
    else if (what === "launch" && (known.text !== text || known.asked.to !== to)) {
      const message = `Execution "${id}" exists already and was launched with another input, or of another workflow.`;
      throw new StepwellError("STEPWELL_LAUNCH_CONFLICT", message, { workflow: to, execution: id });
    }
    return known === undefined;
  }
}
