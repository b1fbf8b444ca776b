/** A real server that dies, is restarted, or throws everybody out, under a launcher that is at work. */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { freshSchema, postgresUrl, query } from "../../../test/support/postgres.js";
import { startPostgres, type PostgresServer } from "../../../test/support/postgres-server.js";
import { TcpProxy } from "../../../test/support/tcp-proxy.js";
import { fail, Launcher, pause as waits, workflow, type Execution, type StepwellError } from "../../index.js";
import { postgresStore } from "./index.js";

const input = z.object({ n: z.number() });

/** Counts what every step of every execution did: more than once would be work done again after it was committed. */
class Work {
  readonly ran = new Map<string, number>();
  readonly order = workflow("order", { input })
    .step("reserve", { run: (it) => this.#run(it), rollback: (it) => this.#run(it) })
    .step("charge", { run: (it) => this.#run(it), rollback: (it) => this.#run(it) })
    .step("ship", {
      messages: { shipped: z.object({ parcel: z.number() }) },
      run: (it) => {
        this.#run(it);
        return it.state.n % 3 === 0 ? fail("sold-out") : waits();
      },
      onMessage: ({ message }) => ({ parcel: message.payload.parcel }),
      rollback: (it) => this.#run(it),
    });

  get again(): string[] {
    return [...this.ran].filter(([, times]) => times > 1).map(([key]) => key);
  }

  #run({ idempotencyKey }: { readonly idempotencyKey: string }): undefined {
    this.ran.set(idempotencyKey, (this.ran.get(idempotencyKey) ?? 0) + 1);
  }
}

/** Launches, sends twice, and goes on after whatever may be tried again. */
async function throughAll(launcher: Launcher, work: Work, n: number): Promise<Execution> {
  const execution = await patiently(() => launcher.launch(work.order, { n }, { id: `order-${n}` }));
  for (const _ of [1, 2]) {
    await patiently(() => execution.send("shipped", { parcel: n }, { messageId: `parcel-${n}` })).catch(
      (error: unknown) => {
        if ((error as StepwellError).code !== "STEPWELL_EXECUTION_ENDED") throw error;
      },
    );
  }
  await patiently(() => execution.outcome());
  return execution;
}

async function patiently<Result>(act: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error as StepwellError).retryable) throw error;
      await pause(20);
    }
  }
}

interface Told {
  readonly launcher: Launcher;
  readonly errors: StepwellError[];
}

async function launcherOn(url: string, work: Work): Promise<Told> {
  const errors: StepwellError[] = [];
  const launcher = new Launcher({
    store: postgresStore(url),
    workflows: [work.order],
    pollInterval: "100ms",
    onError: (error) => errors.push(error),
  });
  await launcher.start();
  onTestFinished(() => launcher.stop());
  return { launcher, errors };
}

/** Until all are through, something happens again and again. Gives back what was done twice, and what went wrong for good. */
async function under(
  trouble: () => Promise<void>,
  { launcher, errors }: Told,
  work: Work,
  count: number,
): Promise<unknown> {
  const over = new AbortController();
  const troubled = (async () => {
    while (!over.signal.aborted) {
      await pause(100 + Math.random() * 150);
      // On a machine that has other work, the next trouble would come before much could be done since the last one.
      const enough = work.ran.size + count / 20;
      while (work.ran.size < enough && !over.signal.aborted) await pause(20);
      await trouble();
    }
  })();
  const lanes = Array.from({ length: 32 }, async (_, lane) => {
    for (let n = lane; n < count; n += 32) {
      const execution = await throughAll(launcher, work, n);
      const { status } = await patiently(() => execution.summary());
      expect(status, execution.id).toBe(n % 3 === 0 ? "rolledBack" : "completed");
      const history = await patiently(() => execution.history());
      expect(
        history.map(({ revision }) => revision),
        execution.id,
      ).toEqual(history.map((_, index) => index + 1));
      const mailbox = await patiently(() => execution.mailbox());
      expect(mailbox.length, execution.id).toBeLessThanOrEqual(1);
    }
  });
  await Promise.all(lanes).finally(() => over.abort());
  await troubled;
  return { again: work.again, errors: errors.filter(({ retryable }) => !retryable) };
}

const nothing = { again: [], errors: [] };

describe("while the server fails", () => {
  let server: PostgresServer;
  beforeAll(async () => void (server = await startPostgres({ fsync: true })));
  afterAll(() => server.stop());

  test("a launcher at work survives its death and comes back to it: nothing is lost, nothing done is done again", async () => {
    const work = new Work();
    const told = await launcherOn(server.url, work);
    let deaths = 0;
    const trouble = async (): Promise<void> => {
      if (deaths >= 4) return;
      deaths++;
      await server.kill();
      await pause(Math.random() * 100);
      await server.start();
    };
    expect(await under(trouble, told, work, 400)).toEqual(nothing);
    expect(deaths).toBeGreaterThan(1);
  }, 120_000);

  test("the same holds where an administrator ends all connections, again and again", async () => {
    await query(server.url, "DROP SCHEMA stepwell CASCADE");
    const work = new Work();
    const told = await launcherOn(server.url, work);
    const trouble = async (): Promise<void> =>
      void (await query(
        server.url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
      ));
    expect(await under(trouble, told, work, 400)).toEqual(nothing);
  }, 120_000);

  test("a launch and a send fail by a coded error while it is away, and what waited goes on afterwards", async () => {
    await query(server.url, "DROP SCHEMA stepwell CASCADE");
    const work = new Work();
    const { launcher } = await launcherOn(server.url, work);
    const execution = await launcher.launch(work.order, { n: 1 }, { id: "before" });
    await server.kill();
    const away = { code: "STEPWELL_STORE_UNREACHABLE", retryable: true };
    await expect(launcher.launch(work.order, { n: 2 }, { id: "during" })).rejects.toMatchObject(away);
    await expect(execution.send("shipped", { parcel: 1 })).rejects.toMatchObject(away);
    await expect(launcher.list()).rejects.toMatchObject(away);
    await server.start();
    await patiently(() => execution.send("shipped", { parcel: 1 }));
    expect((await execution.outcome()).status).toBe("completed");
    // Not by a short timeout: on a busy machine it would be over before the answer comes.
    await expect(patiently(() => launcher.execution("during").summary())).rejects.toMatchObject({
      code: "STEPWELL_EXECUTION_NOT_FOUND",
    });
  }, 60_000);

  test("a store that is not there can't be opened, and can be once it is", async () => {
    await server.kill();
    const store = postgresStore(server.url);
    await expect(store.open()).rejects.toMatchObject({ code: "STEPWELL_STORE_UNREACHABLE", retryable: true });
    expect(store.isOpen).toBe(false);
    await server.start();
    await patiently(async () => store.open());
    await store.close();
  });
});

test("a network that breaks all connections again and again loses nothing, though answers are lost with them", async () => {
  const proxy = await TcpProxy.before(postgresUrl());
  const schema = freshSchema();
  const work = new Work();
  const errors: StepwellError[] = [];
  const store = postgresStore(proxy.url, { schema });
  const launcher = new Launcher({
    store,
    workflows: [work.order],
    pollInterval: "100ms",
    onError: (error) => errors.push(error),
  });
  await launcher.start();
  onTestFinished(async () => {
    await launcher.stop();
    await proxy.close();
  });
  const trouble = async (): Promise<void> => {
    // What the server does in this time is done, and nobody hears of it.
    proxy.mode = "mute";
    await pause(5 + Math.random() * 20);
    proxy.cut();
    proxy.mode = "open";
  };
  expect(await under(trouble, { launcher, errors }, work, 300)).toEqual(nothing);
}, 120_000);
