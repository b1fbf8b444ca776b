import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { trace } from "@opentelemetry/api";
import { afterEach, describe, expect, test, vi } from "vitest";
import { executionContext, opentelemetry } from "./index.js";

const nothing = (): undefined => undefined;
const withoutGauges = { createCounter: nothing, createHistogram: nothing, createUpDownCounter: nothing };

describe("the options", () => {
  test.each<[options: unknown, problem: string]>([
    [{ tracer: {} }, '"tracer" has no function "startSpan"'],
    [{ meter: { createCounter: () => undefined } }, '"meter" has no function "createHistogram"'],
    [{ meter: withoutGauges, deadLetters: nothing }, '"meter" has no function "createObservableGauge"'],
    [{ deadLetters: 3 }, '"deadLetters" must be a function, not 3'],
    [{ errorMessages: "yes" }, '"errorMessages" must be true or false, not "yes"'],
    [null, "takes an object of options"],
  ])("%j are refused", (options, problem) => {
    expect(() => opentelemetry(options as never)).toThrow(
      expect.objectContaining({
        code: "STEPWELL_INVALID_ARGUMENT",
        message: expect.stringContaining(problem) as string,
      }),
    );
  });

  test("that do not exist are refused, with the one that was meant", () => {
    expect(() => opentelemetry({ errorMessage: true } as never)).toThrow('Did you mean "errorMessages"?');
  });

  test("may be left out", () => {
    expect(opentelemetry()).toMatchObject({ name: "opentelemetry", guard: false });
  });
});

describe("the origin of a trace", () => {
  const originOf = (workflow: string, id: string) => trace.getSpanContext(executionContext({ workflow, id }))!;

  test("is made of workflow and id: the same in every process, and in every release", () => {
    expect(originOf("order", "order-1")).toEqual({
      traceId: "675c856911f4a488c462b6a47c4cca0e",
      spanId: "27a25067bee4470c",
      traceFlags: 1,
      isRemote: true,
    });
  });

  test("differs for different executions", () => {
    const pairs = [["a", "b"], ["b", "a"], ["ab", "c"], ["a", "bc"]] as const; // prettier-ignore
    expect(new Set(pairs.map(([workflow, id]) => originOf(workflow, id).traceId)).size).toBe(4);
  });
});

describe("the library", () => {
  afterEach(() => {
    vi.doUnmock("node:module");
    vi.resetModules();
  });

  test("is asked for where it is not installed, and only when it is needed", async () => {
    vi.resetModules();
    vi.doMock("node:module", () => ({
      createRequire: () => () => {
        throw new Error("Cannot find module '@opentelemetry/api'");
      },
    }));
    const without = await import("./index.js");
    expect(() => without.opentelemetry()).toThrow("npm install @opentelemetry/api");
    expect(() => without.executionContext({ workflow: "w", id: "e" })).toThrow(
      expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }),
    );
  });
});

test("docs/observers.md lists every name that the code has, and no other", async () => {
  const here = (path: string): Promise<string> => readFile(fileURLToPath(new URL(path, import.meta.url)), "utf8");
  const code = (
    await Promise.all(["attributes.ts", "metrics.ts", "traces.ts"].map((file) => here(`./${file}`)))
  ).join();
  const page = (await here("../../../docs/observers.md")).split("\n## opentelemetry\n")[1]!.split("\n## ")[0]!;
  const names = (text: string, quote: string): string[] => [
    ...new Set(
      [...text.matchAll(new RegExp(`${quote}((?:stepwell|messaging|error)\\.[a-z._]+)${quote}`, "g"))].map(
        ([, name = ""]) => name,
      ),
    ),
  ];
  const listed = names(page.replaceAll(/^(?!\| `).*$/gm, "").replaceAll(/^(\| `[^`]+`).*$/gm, "$1"), "`");
  expect(listed.toSorted()).toEqual(names(code, '"').toSorted());
});
