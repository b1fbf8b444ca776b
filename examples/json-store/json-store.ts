/** A store of your own: one file of JSON, for one process and some hundred executions. It declares no capability. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { StepwellError } from "stepwell";
import * as held from "stepwell/store";
import type { Arrival, ArrivalResult, Clock, CommitResult, CreateResult, Death, ExecutionRecord } from "stepwell/store";
import type { HistoryRecord, Hint, MailboxRecord, NewExecution, Release, Store, Transition } from "stepwell/store";

type Changing<T> = { -readonly [K in keyof T]: T[K] };

interface Row {
  readonly record: Changing<ExecutionRecord>;
  readonly sequence: number;
  readonly history: HistoryRecord[];
  readonly mailbox: Changing<MailboxRecord>[];
  /** `signals` as the last commit knew them; whose removal counts against it; who was about to call a function of it. */
  seen: number;
  deaths: { revision: number; owners: number[] };
  begun: number | null;
}

interface Data {
  rows: Row[];
  launchers: { owner: number; host: string; pid: number; beatAt: number }[];
  removed: { owner: number; fate: Death["fate"]; at: number }[];
  readonly last: { owner: number; row: number; mail: number };
}

const toJson = (data: Data): string =>
  JSON.stringify(data, (_, it: unknown) => (it instanceof held.Encoded ? { $encoded: it.text } : it));

const fromJson = (text: string): Data =>
  JSON.parse(text, (_, it: { readonly $encoded?: string } | null) =>
    typeof it?.$encoded === "string" ? held.Encoded.ofText(it.$encoded) : it,
  ) as Data;

const what = "executions" as const;

export function jsonStore(path: string, clock: Clock): Store {
  const hints = new held.Hints();
  let data: Data | undefined;

  function opened(): Data {
    if (data !== undefined) return data;
    throw new StepwellError("STEPWELL_STORE_CLOSED", `The store in ${path} is not open.`);
  }

  /** All of it or nothing. What became due by it is told when it is written. */
  function change<Result>(work: (it: Data, told: Hint[]) => Result): Result {
    const [it, told, before] = [opened(), [] as Hint[], toJson(opened())];
    try {
      const result = work(it, told);
      writeFileSync(`${path}.new`, toJson(it));
      renameSync(`${path}.new`, path);
      hints.tell(told);
      return result;
    } catch (error) {
      data = fromJson(before);
      throw error;
    }
  }

  const find = (it: Data, id: string): Row | undefined => it.rows.find(({ record }) => record.id === id);
  const isAlive = (it: Data, owner: number | null): boolean => it.launchers.some((one) => one.owner === owner);

  function letGo({ record }: Row, dueInMs: number | null, claims: number, told: Hint[]): void {
    Object.assign(record, { owner: null, claims, dueAt: dueInMs === null ? null : clock.now() + dueInMs });
    if (dueInMs !== null) told.push({ type: "due", inMs: dueInMs });
  }

  function settle({ mailbox }: Row, id: string, status: "consumed" | "dead", step: string | null): void {
    for (const one of mailbox) if (one.id === id && one.status === "pending") Object.assign(one, { status, step });
  }

  function create(it: Data, given: NewExecution, told: Hint[]): CreateResult {
    const existing = find(it, given.id);
    if (existing !== undefined) return { created: false, existing: { ...existing.record } };
    const owned = isAlive(it, given.owner);
    const record = held.newRecord(given, owned ? given.owner : null, clock.now());
    const none = { history: [], mailbox: [], seen: 0, deaths: { revision: -1, owners: [] }, begun: null };
    const row: Row = { record, sequence: ++it.last.row, ...none };
    it.rows.push(row);
    if (!owned) letGo(row, given.owner === null ? given.dueInMs : 0, 0, told);
    return { created: true, owned };
  }

  function commit(it: Data, given: Transition, told: Hint[]): CommitResult {
    const row = find(it, given.id);
    if (row?.record.owner !== given.owner || row.record.revision !== given.revision - 1) return "lost";
    if (row.record.signals !== given.signals) return "signalled";
    const { status, position, revision, definition, history } = given;
    Object.assign(row.record, { status, position, revision, updatedAt: clock.now(), claims: 1, ...definition });
    row.record.state = given.state ?? row.record.state;
    row.record.carried = given.carried ?? row.record.carried;
    row.history.push({ ...history, revision, at: clock.now() });
    for (const { arrival, as } of given.settled) settle(row, arrival, as, history.step);
    if (given.ends) for (const { id } of row.mailbox) settle(row, id, "dead", null);
    row.seen = row.record.signals;
    if (given.rests) letGo(row, given.dueInMs, 0, told);
    return "taken";
  }

  function release(it: Data, given: Release, told: Hint[]): CommitResult {
    const row = find(it, given.id);
    if (row?.record.owner !== given.owner) return "lost";
    if ((given.signals ?? row.record.signals) !== row.record.signals) return "signalled";
    for (const id of given.dead) settle(row, id, "dead", null);
    row.seen = given.signals ?? row.seen;
    if (given.parks === true) Object.assign(row.record, { status: "stuck", updatedAt: clock.now() });
    letGo(row, given.dueInMs, given.position === undefined ? row.record.claims - 1 : 0, told);
    row.record.position = given.position ?? row.record.position;
    return "taken";
  }

  function deliver(it: Data, given: Arrival, told: Hint[]): ArrivalResult {
    const row = find(it, given.execution);
    if (row === undefined) return { result: "not-found" };
    const { id, kind, name, payload, messageId, carried, only, resends } = given;
    const { record, mailbox } = row;
    const known = messageId === null ? undefined : mailbox.find((one) => one.messageId === messageId);
    if (known !== undefined) return { result: "duplicate", id: known.id };
    if (!given.acceptedIn.includes(record.status)) return { result: "ended" };
    if (only && (only.revision !== record.revision || only.signals !== record.signals)) return { result: "moved" };
    const rest = { receivedAt: clock.now(), step: null, topic: null };
    if (resends !== undefined) {
      const { execution, arrival, note } = resends;
      const source = find(it, execution)?.mailbox ?? [];
      const letter = source.find((one) => one.id === arrival && held.isDeadLetter(one));
      if (letter === undefined) return { result: "not-dead" };
      letter.status = "resent";
      const noted = { kind: "resend", name: "resend", messageId: null, carried: null, status: "consumed" } as const;
      source.push({ ...rest, ...note, ...noted, execution, sequence: ++it.last.mail });
    }
    const sent = { id, execution: record.id, kind, name, payload, messageId, carried, status: "pending" } as const;
    mailbox.push({ ...rest, ...sent, sequence: ++it.last.mail });
    record.signals++;
    const isWoken = record.owner === null && given.wakes.includes(record.status);
    if (record.owner !== null) told.push({ type: "signalled", execution: record.id });
    // One that has been due for longer keeps its place.
    if (isWoken) letGo(row, Math.min((record.dueAt ?? Infinity) - clock.now(), 0), record.claims, told);
    return { result: "stored", id };
  }

  return {
    name: "json",
    clock,
    gathers: true,
    get isOpen() {
      return data !== undefined;
    },
    open() {
      if (data !== undefined) throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `${path} is open already.`);
      const none = { rows: [], launchers: [], removed: [], last: { owner: 0, row: 0, mail: 0 } };
      data = existsSync(path) ? fromJson(readFileSync(path, "utf8")) : none;
    },
    close: () => void (data = undefined),
    register: ({ host, pid }, formerly) =>
      change((it) => {
        it.removed = it.removed.filter(({ owner }) => owner !== formerly);
        it.launchers.push({ owner: ++it.last.owner, host, pid, beatAt: clock.now() });
        return it.last.owner;
      }),
    beat: (owner, overdueForMs) =>
      change((it) => {
        const now = clock.now();
        for (const one of it.launchers) if (one.owner === owner) one.beatAt = now;
        const launchers = it.launchers.filter((one) => one.owner !== owner);
        const others = launchers.map(({ beatAt, ...one }) => ({ ...one, silentMs: now - beatAt }));
        const beaten = { alive: isAlive(it, owner), others };
        if (overdueForMs === undefined) return beaten;
        const late = it.rows.filter(({ record }) => (record.dueAt ?? Infinity) < now - overdueForMs);
        const found = new Map(late.map(({ record }) => [`${record.workflow} ${record.version}`, record]));
        const overdue = [...found.values()].map(({ workflow: name, version }) => ({ what, name, version }));
        return { ...beaten, waiting: { overdue, gates: [] } };
      }),
    removeLaunchers: (owners, fate) =>
      change((it, told) => {
        const gone = it.launchers.flatMap(({ owner }) => (owners.includes(owner) ? owner : []));
        it.launchers = it.launchers.filter(({ owner }) => !owners.includes(owner));
        if (fate === "left") it.removed = it.removed.filter(({ owner }) => !owners.includes(owner));
        else if (fate !== undefined) it.removed.push(...gone.map((owner) => ({ owner, fate, at: clock.now() })));
        const owned = it.rows.filter(({ record }) => record.owner !== null && owners.includes(record.owner));
        for (const row of owned) {
          const { owner, revision, claims } = row.record;
          const counts = fate !== undefined && fate !== "left" && gone.includes(owner!);
          if (counts && row.deaths.revision !== revision) row.deaths = { revision, owners: [owner!] };
          else if (counts && row.begun === owner) row.deaths.owners.push(owner!);
          letGo(row, 0, claims, told);
        }
        return owned.length;
      }),
    begin: (id, owner) =>
      change((it) => {
        const owned = it.rows.filter(({ record }) => record.id === id && record.owner === owner);
        for (const row of owned) row.begun = owner;
        return owned.length > 0;
      }),
    deaths(id) {
      const { rows, removed } = opened();
      const row = rows.find(({ record, deaths }) => record.id === id && deaths.revision === record.revision);
      const counted = removed.filter(({ owner }) => row?.deaths.owners.includes(owner));
      return counted.map(({ fate, at }) => ({ fate, sinceMs: clock.now() - at }));
    },
    write: ({ creates, transitions, releases, arrivals }) =>
      change((it, told) => ({
        at: clock.now(),
        creates: creates.map((one) => create(it, one, told)),
        transitions: transitions.map((one) => commit(it, one, told)),
        releases: releases.map((one) => release(it, one, told)),
        arrivals: arrivals.map((one) => deliver(it, one, told)),
        subscriptions: [],
        publications: [],
      })),
    claim: ({ owner, limit, workflows }) =>
      change((it) => {
        const at = clock.now();
        const own = it.rows.filter(({ record, seen }) => record.owner === owner && record.signals > seen);
        const due = it.rows.map(({ record }) => record).filter(({ dueAt }) => dueAt !== null);
        due.sort((one, other) => one.dueAt! - other.dueAt!);
        const queues = workflows.map((of) => due.filter((it) => it.workflow === of.name && it.version === of.version));
        const alive = isAlive(it, owner);
        const taken = held.inTurn(queues, ({ dueAt }) => dueAt! <= at, alive ? limit : 0);
        const dueSince = taken.map(({ dueAt }) => dueAt!);
        for (const one of taken) Object.assign(one, { owner, claims: one.claims + 1, dueAt: null });
        const next = Math.min(...queues.flatMap(([first]) => first?.dueAt ?? []));
        const nextDueInMs = next === Infinity ? null : Math.max(0, next - at);
        const [records, signalled] = [taken.map((one) => ({ ...one })), own.map(({ record }) => record.id)];
        return { records, dueSince, at, nextDueInMs, signalled, alive };
      }),
    prune: (options) =>
      change((it) =>
        held.prune([...it.rows], options, clock.now(), (row) => void it.rows.splice(it.rows.indexOf(row), 1)),
      ),
    load(ids: readonly string[]) {
      const { rows } = opened();
      return ids.map((id) => rows.find(({ record }) => record.id === id)?.record).map((it) => it && { ...it });
    },
    list: (filter) => held.listPage(opened().rows, filter),
    count: (conditions, upTo) => held.countOf(opened().rows, conditions, upTo),
    history: (id, { after, limit } = { after: 0, limit: Infinity }) =>
      find(opened(), id)?.history.slice(after, after + limit) ?? [],
    mail: (filter) =>
      opened().rows.flatMap((row) => (filter.executions.includes(row.record.id) ? held.mailOf(row, filter) : [])),
    deadMail: (filter) => held.deadMail(opened().rows, filter),
    countDeadMail: (conditions, lookAt) => held.countDeadMail(opened().rows, conditions, lookAt),
    countPending: (id, upTo) => held.countPending(find(opened(), id)?.mailbox ?? [], upTo),
    watch: (listener) => hints.watch(listener),
  };
}
