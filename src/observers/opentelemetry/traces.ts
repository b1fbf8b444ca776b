import type { Context, Link, Span, SpanContext, Tracer } from "@opentelemetry/api";
import { createHash } from "node:crypto";
import type {
  Carried,
  CarryEvent,
  CommitEvent,
  ExecutionIdentity,
  RestEvent,
  WakeEvent,
} from "../../definition/observer.js";
import { loadApi } from "./api.js";
import { errorTypeOf, identityOf, messageAttributes, transitionOf } from "./attributes.js";

type Which = Pick<ExecutionIdentity, "id" | "workflow">;

interface Burst {
  readonly span: Span;
  readonly context: Context;
  /** For a child: the burst of its parent in which it was begun. */
  readonly above: SpanContext | undefined;
  /** In milliseconds since 1970, as the store tells the time. */
  readonly began: number;
  /** When its last attempt ended. */
  until: number;
}

/** What is carried under this is about the burst in which a child was begun. */
const aboveKey = "stepwell-parent-";

/** The span of each burst, whichever observer made it, for as long as the key of the burst is held. */
const burstSpans = new WeakMap<Which, Span>();

/** The span that an execution's own code is in: the burst under way, else the origin of the trace. */
export function spanContextOf(execution: Which): SpanContext {
  return burstSpans.get(execution)?.spanContext() ?? originOf(execution);
}

/** The parent of all bursts of an execution. It is made of names only and never sent, so every process knows it without asking. */
function originOf({ workflow, id }: Which): SpanContext {
  const hash = createHash("sha256").update(`stepwell\0${workflow}\0${id}`).digest("hex");
  const traceFlags = loadApi().TraceFlags.SAMPLED;
  return { traceId: hash.slice(0, 32), spanId: hash.slice(32, 48), traceFlags, isRemote: true };
}

function linkTo(context: SpanContext, what: "launch" | "message" | "burst"): Link {
  return { context, attributes: { "stepwell.link": what } };
}

export class Traces {
  readonly #api = loadApi();
  readonly #tracer: Tracer;
  readonly #errorMessages: boolean;
  /**
   * The key stands for one burst of one launcher, so two launchers that own the same execution one after the other never meet here;
   * and when the loop of the execution is forgotten, its entry here is forgotten too.
   */
  readonly #bursts = new WeakMap<ExecutionIdentity, Burst>();

  constructor(tracer: Tracer, errorMessages: boolean) {
    this.#tracer = tracer;
    this.#errorMessages = errorMessages;
  }

  wake({ execution, at, claims, lateMs, carried }: WakeEvent): void {
    const { ROOT_CONTEXT, trace } = this.#api;
    const above = execution.parent === undefined ? undefined : this.#spanAbove(carried);
    const origin = above ?? originOf(execution);
    const before = this.#carriedSpan(carried);
    // The first burst finds the texts of the launch, each later one the texts of the burst before.
    const isFirst = before?.spanId === above?.spanId;
    const links =
      before === undefined || isFirst ? [] : [linkTo(before, before.traceId === origin.traceId ? "burst" : "launch")];
    const attributes = {
      ...identityOf(execution),
      "stepwell.claims": claims,
      "stepwell.claim.delay": lateMs / 1000,
    };
    const parent = trace.setSpanContext(ROOT_CONTEXT, origin);
    const span = this.#tracer.startSpan(`burst ${execution.workflow}`, { startTime: at, links, attributes }, parent);
    const began = at.getTime();
    this.#bursts.set(execution, { span, context: trace.setSpan(parent, span), above, began, until: began });
    burstSpans.set(execution, span);
  }

  commit(event: CommitEvent): void {
    const burst = this.#bursts.get(event.execution);
    if (burst === undefined) return;
    const { transition, message, called, flow, status } = event;
    const sender = message === undefined ? undefined : this.#carriedSpan(message.carried);
    const links = sender === undefined ? [] : [linkTo(sender, "message")];
    for (const link of links) burst.span.addLink(link);
    if (called) this.#attempt(burst, event, links);
    else burst.span.addEvent("stepwell.transition", transitionOf(transition), transition.at);
    const turned = transition.direction === "up" && flow.direction === "down";
    if (turned) {
      const attributes = { ...transitionOf(transition), "stepwell.reason": flow.reason };
      burst.span.addEvent("stepwell.turn", attributes, transition.at);
    }
    if (transition.upInto !== undefined)
      burst.span.addEvent("stepwell.up_again", transitionOf(transition), transition.at);
    const type = errorTypeOf(transition);
    if (type !== undefined && (turned || status === "stuck")) this.#failed(burst.span, type, transition.error?.message);
  }

  rest({ execution, at, status, flow, pending, lost }: RestEvent): void {
    const burst = this.#bursts.get(execution);
    if (burst === undefined) return;
    this.#bursts.delete(execution);
    burst.span.setAttributes({
      "stepwell.status": status,
      "stepwell.direction": flow.direction,
      "stepwell.reason": flow.reason,
      "stepwell.mailbox.depth": pending,
      "stepwell.lost": lost,
    });
    if (lost) this.#failed(burst.span, "STEPWELL_OWNERSHIP_LOST");
    burst.span.end(new Date(Math.max(at.getTime(), burst.until)));
  }

  carry(event: CarryEvent): Carried {
    const { context, propagation } = this.#api;
    const carrier: Record<string, string> = {};
    if (event.what === "child") {
      const span = burstSpans.get(event.execution)?.spanContext();
      if (span !== undefined) this.#inject(span, carrier);
      return carrier;
    }
    const burst = event.what === "burst" ? this.#bursts.get(event.execution) : undefined;
    // Baggage is the user's own data: it is not stored.
    const from = event.what === "burst" ? burst?.context : propagation.deleteBaggage(context.active());
    if (from !== undefined) propagation.inject(from, carrier);
    if (burst?.above !== undefined) {
      const above: Record<string, string> = {};
      this.#inject(burst.above, above);
      for (const [key, text] of Object.entries(above)) carrier[`${aboveKey}${key}`] = text;
    }
    return carrier;
  }

  /** Made when the attempt is over. The store says when it was committed, the process how long it took: that clock does not jump. */
  #attempt(burst: Burst, { execution, transition, message }: CommitEvent, links: Link[]): void {
    const { SpanKind } = this.#api;
    const end = Math.max(transition.at.getTime(), burst.began);
    const span = this.#tracer.startSpan(
      `${transition.func} ${transition.step}`,
      {
        kind: message === undefined ? SpanKind.INTERNAL : SpanKind.CONSUMER,
        startTime: new Date(Math.max(burst.began, end - transition.durationMs)),
        links,
        attributes: {
          ...identityOf(execution),
          ...transitionOf(transition),
          ...(message !== undefined && messageAttributes(message, execution)),
        },
      },
      burst.context,
    );
    const type = errorTypeOf(transition);
    if (type !== undefined) this.#failed(span, type, transition.error?.message);
    span.end(new Date(end));
    burst.until = Math.max(burst.until, end);
  }

  #failed(span: Span, type: string, message?: string): void {
    span.setAttribute("error.type", type);
    const code = this.#api.SpanStatusCode.ERROR;
    span.setStatus(this.#errorMessages && message !== undefined ? { code, message } : { code });
  }

  #inject(span: SpanContext, carrier: Record<string, string>): void {
    const { propagation, trace, ROOT_CONTEXT } = this.#api;
    propagation.inject(trace.setSpanContext(ROOT_CONTEXT, span), carrier);
  }

  /** The first burst finds it as it was begun with, each later one as the burst before has kept it. */
  #spanAbove(carried: Carried): SpanContext | undefined {
    const kept = Object.entries(carried).filter(([key]) => key.startsWith(aboveKey));
    if (kept.length === 0) return this.#carriedSpan(carried);
    return this.#carriedSpan(Object.fromEntries(kept.map(([key, text]) => [key.slice(aboveKey.length), text])));
  }

  #carriedSpan(carried: Carried): SpanContext | undefined {
    const { propagation, ROOT_CONTEXT, trace } = this.#api;
    const found = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, carried));
    return found !== undefined && trace.isSpanContextValid(found) ? found : undefined;
  }
}
