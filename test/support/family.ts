/** Trees of executions whose every effect is entered into one book: whole or without trace, and each undone once. */
import { z } from "zod";
import type { ExecutionRecord } from "../../src/execution/records.js";
import { fail, workflow, type Fail, type AnyWorkflow, type Store } from "../../src/index.js";

/** What becomes of an execution: where it fails, and what its children are. */
export interface Plan {
  /** Its step that fails; left out: none. */
  readonly fails?: "first" | "last";
  /** So often an undo of it throws; from the second time on it is parked. */
  readonly undoThrows?: number;
  readonly below: readonly Plan[];
}

const plan: z.ZodType<Plan> = z.object({
  fails: z.enum(["first", "last"]).optional(),
  undoThrows: z.number().optional(),
  get below() {
    return z.array(plan);
  },
}) as z.ZodType<Plan>;

const input = z.object({ plan });

export class Family {
  /** Effects that are there, by name, and how often each was undone. */
  readonly done = new Set<string>();
  readonly #undone = new Map<string, Set<string>>();
  readonly #thrown = new Map<string, number>();
  /** Effects that an operator has let be. */
  readonly #let = new Set<string>();
  #isMended = false;
  /** What should not have been. */
  readonly wrongs: string[] = [];
  readonly #store: () => Store;
  readonly top: AnyWorkflow;

  /** @param options of each step of children */
  constructor(store: () => Store, generations: number, options: object = {}) {
    this.#store = store;
    let below: AnyWorkflow | undefined;
    for (let level = generations; level > 0; level--) below = this.#level(level, below, options);
    this.top = below!;
  }

  /** Undos throw no more. */
  mend(): void {
    this.#isMended = true;
  }

  /** An operator has skipped the undo of what this step did. */
  letBe(id: string, step: string): void {
    this.#let.add(`${id} ${step}`);
  }

  #level(level: number, below: AnyWorkflow | undefined, options: object): AnyWorkflow {
    const first = workflow(`level-${level}`, { input }).step("first", {
      run: ({ state, execution }) => this.#do(`${execution.id} first`, state.plan.fails === "first"),
      rollback: ({ state, execution, idempotencyKey }) =>
        this.#undo(`${execution.id} first`, idempotencyKey, state.plan),
      rollbackRetry: { attempts: 2 },
    });
    const middle =
      below === undefined
        ? first
        : first.forEach("children", below, {
            items: ({ state }: { state: { plan: Plan } }) => state.plan.below.map((it) => ({ plan: it })),
            ...options,
          });
    return middle.step("last", {
      run: async ({ state, execution }) => {
        await this.#mustBeSettled(execution.id, state.plan.below.length);
        return this.#do(`${execution.id} last`, state.plan.fails === "last");
      },
      rollback: ({ state, execution, idempotencyKey }) =>
        this.#undo(`${execution.id} last`, idempotencyKey, state.plan),
      rollbackRetry: { attempts: 2 },
    });
  }

  #do(effect: string, fails: boolean): Fail | undefined {
    this.done.add(effect);
    return fails ? fail("no") : undefined;
  }

  #undo(effect: string, key: string, { undoThrows = 0 }: Plan): void {
    const thrown = this.#thrown.get(effect) ?? 0;
    if (thrown < undoThrows && !this.#isMended) {
      this.#thrown.set(effect, thrown + 1);
      throw new Error("not now");
    }
    const keys = this.#undone.get(effect) ?? new Set();
    this.#undone.set(effect, keys.add(key));
    if (keys.size > 1) this.wrongs.push(`${effect} was undone twice`);
    this.done.delete(effect);
  }

  /** A parent goes on only when all its children are settled. */
  async #mustBeSettled(id: string, count: number): Promise<void> {
    const ids = Array.from({ length: count }, (_, index) => `${id}/children/${index}`);
    for (const child of await this.#store().load(ids)) {
      if (child?.status !== "completed")
        this.wrongs.push(`${id} went on before ${child?.id ?? "a child"} had completed`);
    }
  }

  /** What is wrong, by the books and by what the store says. */
  async problems(id: string): Promise<readonly string[]> {
    const [root] = await this.#store().load([id]);
    const status = root?.status ?? "not there";
    if (status !== "completed" && status !== "rolledBack") return [...this.wrongs, `${id} is ${status}`];
    const { records } = await this.#store().list({ limit: 1000, root: id });
    const others = records
      .filter((it) => it.status !== status)
      .map((it) => `${it.id} is ${it.status}, and ${id} ${status}`);
    return [...this.wrongs, ...others, ...(status === "completed" ? this.#missing(root!) : this.#left())];
  }

  #left(): string[] {
    return [...this.done].filter((effect) => !this.#let.has(effect)).map((effect) => `${effect} was not undone`);
  }

  #missing({ state }: ExecutionRecord): string[] {
    const wanted = 2 * sizeOf((state.value as { plan: Plan }).plan);
    return this.done.size === wanted ? [] : [`${this.done.size} effects are there instead of ${wanted}`];
  }
}

function sizeOf({ below }: Plan): number {
  return below.reduce((sum, it) => sum + sizeOf(it), 1);
}
