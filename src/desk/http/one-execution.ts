/** One execution: where it stands, its lanes, a page of its history, its values. */
import {
  certificateHeads,
  certificateTables,
  heldText,
  type Client,
  type Execution,
  type ExecutionDetails,
  type HistoryRow,
} from "../../index.js";
import { lanesOf } from "../model/lanes.js";
import { previewLanes } from "../model/preview.js";
import { wordsOf, type Words } from "../model/words.js";
import { Refused } from "./answers.js";
import { Counted } from "./counted.js";
import type { Printer } from "./print.js";
import { needed, numberIn } from "./query.js";
import type {
  CertificateView,
  CountedView,
  ExecutionView,
  HistoryPage,
  Mailbox,
  PreviewView,
  StateView,
  TransitionView,
} from "./shapes.js";
import { address, lineOf, messageView, transitionView } from "./views.js";

/** So many transitions are given at first, and with each page. */
const historyPage = 100;

const mostMessages = 200;
/** So many are looked through for them: requests and acts are no messages. */
const mostArrivals = 5 * mostMessages;

export class Executions {
  readonly #client: Client;
  readonly #printer: Printer;
  readonly #redact: readonly string[];
  readonly #counted = new Counted();

  constructor(client: Client, printer: Printer, redact: readonly string[]) {
    this.#client = client;
    this.#printer = printer;
    this.#redact = redact;
  }

  async view(search: URLSearchParams): Promise<ExecutionView> {
    const id = needed(search, "id");
    const execution = this.#client.execution(id);
    const [now, details, state, pending] = await Promise.all([
      this.#client.fleet.now(),
      execution.details(),
      execution.state(),
      execution.countPending(),
    ]);
    const { lanes, words, rows } = await this.#seen(execution, details, now);
    const newest = rows.slice(-historyPage);
    const { error, deadlineAt, steps = [], parent, root, children } = details;
    const value = (of: "state", revision: number): string => address("api/execution/value", { id, of, revision });
    return {
      ...lineOf(details),
      now: now.toISOString(),
      ...(parent !== undefined && { parent }),
      ...(root !== undefined && { root }),
      children,
      ...(deadlineAt !== undefined && { deadlineAt: deadlineAt.toISOString() }),
      words,
      lanes,
      ...(error !== undefined && { failure: this.#printer.error(error) }),
      state: this.#printer.value(state, value("state", details.revision)),
      messages: [
        ...new Set(steps.flatMap(({ messages = [], rollbackMessages = [] }) => [...messages, ...rollbackMessages])),
      ],
      pending,
      history: this.#page(newest, historyPage),
    };
  }

  async certificate(search: URLSearchParams): Promise<CertificateView> {
    const certificate = await this.#client.execution(needed(search, "id")).certificate();
    return { execution: certificate.execution, heads: certificateHeads, ...certificateTables(certificate) };
  }

  /** What a rollback would do, or a rewind to a step. */
  async preview(search: URLSearchParams): Promise<PreviewView> {
    const execution = this.#client.execution(needed(search, "id"));
    const [now, details] = await Promise.all([this.#client.fleet.now(), execution.details()]);
    const to = search.get("to");
    const asked = execution.previewRollback(to === null ? {} : { to });
    const [{ lanes }, preview] = await Promise.all([this.#seen(execution, details, now), asked]);
    const { revision, error, held, refused, upAgain } = preview;
    const said = error?.message ?? (held === true ? heldText : undefined);
    return {
      revision,
      ...(said !== undefined && { said }),
      ...(refused !== undefined && { refused }),
      ...(upAgain !== undefined && { upAgain }),
      lanes: previewLanes(lanes, preview),
    };
  }

  /** Counts some more of a long history. */
  async count(search: URLSearchParams): Promise<CountedView> {
    const execution = this.#client.execution(needed(search, "id"));
    const { after } = await this.#counted.further(execution, await execution.summary());
    return { countedAfter: after };
  }

  async history(search: URLSearchParams): Promise<HistoryPage> {
    const limit = numberIn(search, "limit", 1, 1000) ?? historyPage;
    const execution = this.#client.execution(needed(search, "id"));
    const before = numberIn(search, "before", 1, Number.MAX_SAFE_INTEGER) ?? (await execution.summary()).revision + 1;
    const from = Math.max(0, before - 1 - limit);
    const rows = before === 1 ? [] : await execution.history({ from, limit: before - 1 - from });
    return this.#page(rows, limit);
  }

  async state(search: URLSearchParams): Promise<StateView> {
    const id = needed(search, "id");
    const execution = this.#client.execution(id);
    const revision = numberIn(search, "revision", 0, Number.MAX_SAFE_INTEGER) ?? (await execution.summary()).revision;
    const state = await execution.stateAt(revision);
    const [row] =
      revision === 0
        ? []
        : await execution.history({ changes: true, redact: this.#redact, from: revision - 1, limit: 1 });
    return {
      revision,
      state: this.#printer.value(state, address("api/execution/value", { id, of: "state", revision })),
      changes: row === undefined ? [] : this.#printer.changes(row.changes),
    };
  }

  async mailbox(search: URLSearchParams): Promise<Mailbox> {
    const id = needed(search, "id");
    const rows = await this.#client.execution(id).mailbox({ last: mostArrivals });
    const messages = rows.slice(-mostMessages).map((row) => messageView(id, row, this.#printer));
    return { messages: messages.toReversed(), more: rows.length > mostMessages };
  }

  /** The whole of a value, as text. */
  async value(search: URLSearchParams): Promise<string> {
    const execution = this.#client.execution(needed(search, "id"));
    if (search.get("of") === "message") {
      const message = needed(search, "message");
      const [row] = await execution.mailbox({ id: message });
      if (row !== undefined) return this.#printer.text(row.payload);
      throw new Refused(
        404,
        "DESK_NOT_FOUND",
        `Execution "${execution.id}" has no message ${JSON.stringify(message)}.`,
      );
    }
    const revision = numberIn(search, "revision", 0, Number.MAX_SAFE_INTEGER);
    return this.#printer.text(revision === undefined ? await execution.state() : await execution.stateAt(revision));
  }

  /** What has happened since a page was made, the newest first, and the words for where the execution stands now. */
  async since(
    id: string,
    revision: number,
  ): Promise<{ readonly words: Words; readonly rows: TransitionView[]; readonly details: ExecutionDetails }> {
    const execution = this.#client.execution(id);
    const [now, details] = await Promise.all([this.#client.fleet.now(), execution.details()]);
    const { words } = await this.#seen(execution, details, now);
    const rows = await execution.history({ from: Math.max(revision, details.revision - historyPage) });
    return { words, details, rows: rows.toReversed().map((row) => transitionView(row, this.#printer)) };
  }

  async #seen(execution: Execution, details: ExecutionDetails, now: Date) {
    const { tally, rows } = await this.#counted.look(execution, details, historyPage);
    const lanes = lanesOf(details, tally);
    return { lanes, words: wordsOf(details, lanes, now.getTime()), rows };
  }

  #page(rows: readonly HistoryRow[], limit: number): HistoryPage {
    const shown = rows.slice(-limit);
    const first = shown[0]?.revision ?? 1;
    return {
      rows: shown.toReversed().map((row) => transitionView(row, this.#printer)),
      before: first > 1 ? first : null,
    };
  }
}
