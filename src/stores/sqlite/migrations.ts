import type { Migration as SqlMigration } from "../sql/migrations.js";
import { deathsAfter } from "../sql/rows.js";

export interface Migration extends SqlMigration {
  /** In which `:now` is the time of the store. */
  readonly sql: string;
  /** No launcher of the schema before may go on: it could not read what is written from now on. */
  readonly closes?: true;
}

/**
 * Tables carry a prefix, so that a file can hold tables of the user's too. Every index costs on every
 * write, so each of them is partial where it can be:
 * - `due` is what a claim reads, and holds only what is due some day;
 * - `owned` and `signalled` hold only what is being worked on;
 * - `created` is the order of a list, `stuck` the list that an operator needs and that is short.
 */
const first: Migration = {
  number: 1,
  name: "executions, history, mailbox, tags, launchers",
  sql: `
CREATE TABLE stepwell_executions (
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  workflow TEXT NOT NULL,
  version TEXT NOT NULL,
  status TEXT NOT NULL,
  revision INTEGER NOT NULL,
  signals INTEGER NOT NULL,
  seen INTEGER NOT NULL,
  owner INTEGER,
  claims INTEGER NOT NULL,
  due_at INTEGER,
  deadline_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  tags TEXT NOT NULL,
  position TEXT NOT NULL,
  state TEXT NOT NULL,
  input TEXT NOT NULL,
  carried TEXT
);
CREATE INDEX stepwell_executions_due ON stepwell_executions (workflow, version, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX stepwell_executions_owned ON stepwell_executions (owner) WHERE owner IS NOT NULL;
CREATE INDEX stepwell_executions_signalled ON stepwell_executions (owner) WHERE owner IS NOT NULL AND signals > seen;
CREATE INDEX stepwell_executions_created ON stepwell_executions (created_at);
CREATE INDEX stepwell_executions_stuck ON stepwell_executions (created_at) WHERE status = 'stuck';

CREATE TABLE stepwell_history (
  execution INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  at INTEGER NOT NULL,
  entry TEXT NOT NULL,
  patch TEXT,
  PRIMARY KEY (execution, revision)
) WITHOUT ROWID;

CREATE TABLE stepwell_mailbox (
  sequence INTEGER PRIMARY KEY,
  execution INTEGER NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  payload TEXT NOT NULL,
  message_id TEXT,
  status TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  step TEXT,
  carried TEXT
);
CREATE UNIQUE INDEX stepwell_mailbox_execution ON stepwell_mailbox (execution, message_id);
CREATE INDEX stepwell_mailbox_pending ON stepwell_mailbox (execution, id) WHERE status = 'pending';

CREATE TABLE stepwell_tags (
  tag TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  execution INTEGER NOT NULL,
  PRIMARY KEY (tag, created_at, execution)
) WITHOUT ROWID;

CREATE TABLE stepwell_launchers (
  owner INTEGER PRIMARY KEY AUTOINCREMENT,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  beat_at INTEGER NOT NULL
);`,
};

/** `due` holds only what launches something some day. */
const schedules: Migration = {
  number: 2,
  name: "schedules",
  sql: `
CREATE TABLE stepwell_schedules (
  name TEXT PRIMARY KEY,
  workflow TEXT NOT NULL,
  version TEXT NOT NULL,
  input TEXT NOT NULL,
  plan TEXT NOT NULL,
  next_at INTEGER,
  revision TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX stepwell_schedules_due ON stepwell_schedules (workflow, version, next_at) WHERE next_at IS NOT NULL;`,
};

/**
 * A publication is found by its topic and the id under which it is in the mailboxes; `expires` is what pruning
 * reads. `subscribed` says of an execution whether it has any subscription, so that the others need not look.
 */
const topics: Migration = {
  number: 3,
  name: "topics",
  sql: `
ALTER TABLE stepwell_executions ADD COLUMN subscribed INTEGER;
ALTER TABLE stepwell_mailbox ADD COLUMN topic TEXT;

CREATE TABLE stepwell_subscriptions (
  topic TEXT NOT NULL,
  id TEXT NOT NULL,
  execution INTEGER NOT NULL,
  until TEXT NOT NULL,
  PRIMARY KEY (topic, id)
) WITHOUT ROWID;
CREATE INDEX stepwell_subscriptions_execution ON stepwell_subscriptions (execution);

CREATE TABLE stepwell_publications (
  sequence INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  message_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  payload TEXT NOT NULL,
  carried TEXT,
  delivered INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX stepwell_publications_topic ON stepwell_publications (topic, message_id);
CREATE INDEX stepwell_publications_expires ON stepwell_publications (expires_at);`,
};

/**
 * Who waits for a place, who has one, and when places were given. Only executions of workflows with limits have rows here.
 * `turn` is the order of a queue: when one could be admitted, less what its priority is worth.
 */
const limits: Migration = {
  number: 4,
  name: "limits: queue, places, starts",
  sql: `
ALTER TABLE stepwell_executions ADD COLUMN admission TEXT;

CREATE TABLE stepwell_gates (
  gate TEXT PRIMARY KEY,
  revision INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE stepwell_queue (
  execution INTEGER PRIMARY KEY,
  gate TEXT NOT NULL,
  version TEXT NOT NULL,
  key TEXT,
  rate_key TEXT NOT NULL,
  ready_at INTEGER NOT NULL,
  turn INTEGER NOT NULL
);
CREATE INDEX stepwell_queue_turn ON stepwell_queue (gate, turn);
CREATE INDEX stepwell_queue_ready ON stepwell_queue (gate, ready_at);

CREATE TABLE stepwell_places (
  execution INTEGER PRIMARY KEY,
  gate TEXT NOT NULL,
  key TEXT
);
CREATE INDEX stepwell_places_key ON stepwell_places (gate, key);

CREATE TABLE stepwell_starts (
  gate TEXT NOT NULL,
  rate_key TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX stepwell_starts_at ON stepwell_starts (gate, at);
CREATE INDEX stepwell_starts_key ON stepwell_starts (gate, rate_key, at);`,
};

/** Holds only what somebody should look at, in the order of acceptance. */
const deadLetters: Migration = {
  number: 5,
  name: "dead letters",
  sql: `
CREATE INDEX stepwell_mailbox_dead ON stepwell_mailbox (sequence) WHERE status = 'dead' AND kind = 'message';`,
};

const definitions: Migration = {
  number: 6,
  name: "definitions",
  sql: `
ALTER TABLE stepwell_executions ADD COLUMN fingerprint TEXT;
CREATE TABLE stepwell_definitions (
  workflow TEXT NOT NULL,
  version TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  steps TEXT NOT NULL,
  PRIMARY KEY (workflow, version, fingerprint)
) WITHOUT ROWID;`,
};

/** Which launchers were buried that had not left, and which of them had an execution in work since its last commit. */
const burials: Migration = {
  number: 7,
  name: "burials",
  sql: `
ALTER TABLE stepwell_executions ADD COLUMN deaths TEXT;
ALTER TABLE stepwell_executions ADD COLUMN begun INTEGER;
CREATE TABLE stepwell_burials (
  owner INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  fate TEXT NOT NULL
);
CREATE INDEX stepwell_burials_at ON stepwell_burials (at);`,
};

/**
 * A row of a mailbox is found by its id, whatever has become of it; and what is pending by kind and name, so that what
 * nobody waits for costs nothing.
 */
const mailboxes: Migration = {
  number: 8,
  name: "large mailboxes",
  sql: `
DROP INDEX stepwell_mailbox_pending;
CREATE INDEX stepwell_mailbox_pending ON stepwell_mailbox (execution, kind, name) WHERE status = 'pending';
CREATE INDEX stepwell_mailbox_id ON stepwell_mailbox (execution, id);`,
};

/**
 * - `changes` are the fields of a large state that have changed since the state was written as a whole.
 * - The history is in the order in which it was written. `latest` of an execution is the number of its last entry, `previous`
 *   of an entry the one before. `failed` says of an entry that it holds an error, which the execution may refer to.
 * - `shelf` is the status for lists. Of what runs and of what has completed it is the same, so that an ordinary execution is
 *   written into no index but by its launch.
 * - Long states and inputs stand beside the executions.
 * - `format` of a launcher says which rows it reads. Those of older processes are buried, and none registers any more.
 */
const weight: Migration = {
  number: 9,
  closes: true,
  name: "compact rows",
  sql: `
ALTER TABLE stepwell_executions ADD COLUMN changes TEXT;
ALTER TABLE stepwell_executions ADD COLUMN latest INTEGER;
ALTER TABLE stepwell_executions ADD COLUMN shelf TEXT;
UPDATE stepwell_executions SET shelf = iif(status IN ('running', 'completed'), '', status);
CREATE INDEX stepwell_executions_listed ON stepwell_executions (workflow, shelf, created_at);
DROP INDEX stepwell_executions_stuck;

ALTER TABLE stepwell_history RENAME TO stepwell_history_before;
CREATE TABLE stepwell_history (
  sequence INTEGER PRIMARY KEY,
  execution INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  at INTEGER NOT NULL,
  entry TEXT NOT NULL,
  patch TEXT,
  previous INTEGER,
  failed INTEGER
);
INSERT INTO stepwell_history (sequence, execution, revision, at, entry, patch, previous)
SELECT row_number() OVER w, execution, revision, at, entry, patch, iif(lag(execution) OVER w = execution, row_number() OVER w - 1, NULL)
FROM stepwell_history_before WINDOW w AS (ORDER BY execution, revision);
DROP TABLE stepwell_history_before;
CREATE INDEX stepwell_history_failed ON stepwell_history (execution, revision) WHERE failed IS NOT NULL;
UPDATE stepwell_executions SET latest = h.latest
FROM (SELECT execution, max(sequence) AS latest FROM stepwell_history GROUP BY execution) AS h WHERE h.execution = stepwell_executions.sequence;

CREATE TABLE stepwell_states (execution INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE stepwell_inputs (execution INTEGER PRIMARY KEY, text TEXT NOT NULL);
INSERT INTO stepwell_states SELECT sequence, state FROM stepwell_executions WHERE length(state) >= 1000;
INSERT INTO stepwell_inputs SELECT sequence, input FROM stepwell_executions WHERE length(input) >= 1000;
UPDATE stepwell_executions SET state = iif(length(state) < 1000, state, ''), input = iif(length(input) < 1000, input, '')
WHERE length(state) >= 1000 OR length(input) >= 1000;

INSERT INTO stepwell_burials (owner, at, fate) SELECT owner, :now, 'silent' FROM stepwell_launchers;
UPDATE stepwell_executions SET owner = NULL, due_at = :now, deaths = ${deathsAfter} WHERE owner IS NOT NULL;
CREATE TABLE stepwell_launchers_after (
  owner INTEGER PRIMARY KEY AUTOINCREMENT,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  beat_at INTEGER NOT NULL,
  format INTEGER NOT NULL
);
INSERT INTO sqlite_sequence (name, seq)
SELECT 'stepwell_launchers_after', seq FROM sqlite_sequence WHERE name = 'stepwell_launchers';
DROP TABLE stepwell_launchers;
ALTER TABLE stepwell_launchers_after RENAME TO stepwell_launchers;`,
};

/**
 * Lists of executions. Who has a `line` is found apart from those that are free, and by its `root`: so a list of either is read
 * without the other. `marked` says of a list that it wants to be advanced, and lines before `begun` have begun. Many lines stand in
 * one row, which changes no more once they have begun: what executions become is told in `news` until their list has counted it,
 * many in one row too, and what is rare of a line is in `marks`. In `pruning` are roots of trees that are being pruned.
 * A launcher that does not know of lines would tell them nothing.
 */
const lists: Migration = {
  number: 10,
  closes: true,
  name: "lists of executions",
  sql: `
ALTER TABLE stepwell_executions ADD COLUMN line TEXT;
ALTER TABLE stepwell_executions ADD COLUMN root TEXT;
ALTER TABLE stepwell_subscriptions ADD COLUMN step TEXT;
DROP INDEX stepwell_executions_listed;
CREATE INDEX stepwell_executions_listed ON stepwell_executions (workflow, shelf, created_at) WHERE line IS NULL;
CREATE INDEX stepwell_executions_lined ON stepwell_executions (workflow, shelf, created_at) WHERE line IS NOT NULL;
CREATE INDEX stepwell_executions_root ON stepwell_executions (root, shelf, created_at) WHERE root IS NOT NULL;

CREATE TABLE stepwell_lists (
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  parent TEXT NOT NULL,
  root TEXT NOT NULL,
  status TEXT NOT NULL,
  revision INTEGER NOT NULL,
  data TEXT NOT NULL,
  begun INTEGER NOT NULL,
  marked INTEGER
);
CREATE INDEX stepwell_lists_parent ON stepwell_lists (parent);
CREATE INDEX stepwell_lists_root ON stepwell_lists (root);
CREATE INDEX stepwell_lists_marked ON stepwell_lists (sequence) WHERE marked = 1;

CREATE TABLE stepwell_lines (
  list INTEGER NOT NULL,
  first INTEGER NOT NULL,
  keys TEXT NOT NULL,
  executions TEXT NOT NULL,
  launches TEXT
);
CREATE UNIQUE INDEX stepwell_lines_first ON stepwell_lines (list, first);

CREATE TABLE stepwell_marks (
  list INTEGER NOT NULL,
  position INTEGER NOT NULL,
  mark TEXT NOT NULL,
  PRIMARY KEY (list, position)
) WITHOUT ROWID;

CREATE TABLE stepwell_news (
  number INTEGER PRIMARY KEY,
  list INTEGER NOT NULL,
  was TEXT NOT NULL,
  phase TEXT NOT NULL,
  positions TEXT NOT NULL
);
CREATE INDEX stepwell_news_list ON stepwell_news (list);

CREATE TABLE stepwell_pruning (root TEXT PRIMARY KEY) WITHOUT ROWID;`,
};

const lettersOfOne: Migration = {
  number: 11,
  name: "dead letters of one execution",
  sql: `
CREATE INDEX stepwell_mailbox_dead_in ON stepwell_mailbox (execution, sequence) WHERE status = 'dead' AND kind = 'message';`,
};

/** Which rows a launcher of this code reads. */
export const launcherFormat = 1;

export const migrations: readonly Migration[] = [
  first,
  schedules,
  topics,
  limits,
  deadLetters,
  definitions,
  burials,
  mailboxes,
  weight,
  lists,
  lettersOfOne,
];
