/** Where scenarios are played on PostgreSQL: real connections, which are held in the hand, and virtual time. */
import pg from "pg";
import { postgresStore, transaction } from "../../src/stores/postgres/index.js";
import { Hand, Link, linkFaults, WaitingClock, type LinkFault, type PlannedLink } from "./sweep-hand.js";
import { play, type Opens, type Played } from "./sweep-play.js";
import type { Fault, Planned } from "./sweep-process.js";
import { singlesOf, type Tally } from "./sweep-run.js";
import type { Entries, Scenario } from "./sweep-scenarios.js";

/** Who waits for a lock that a silent process holds gives up soon: virtual time stands still meanwhile. */
const patience = "-c lock_timeout=150ms";

/** Something at a call of the store, or at a query on a connection. */
export type Either = Planned | PlannedLink;

const isOfLink = (it: Either): it is PlannedLink => (linkFaults as readonly string[]).includes(it.fault);

interface PlayedHere extends Omit<Played, "sprung"> {
  /** The queries that were made. */
  readonly queries: readonly string[];
  readonly sprung: readonly { readonly name: string; readonly fault: Fault | LinkFault }[];
}

/** Where two processes meet in real time, one goes its way a little sooner or later: a fault so near to the end may find nothing. */
const nearTheEnd = 0.8;

/** One database for many plays, one after the other. */
export class Playground {
  readonly #url: string;
  readonly #schema: string;
  readonly #pool: pg.Pool;
  #isReady = false;

  constructor(url: string, schema: string) {
    this.#url = url;
    this.#schema = schema;
    this.#pool = new pg.Pool({ connectionString: url, max: 3, options: patience });
    this.#pool.on("error", () => undefined);
  }

  async play(scenario: Scenario, planned: readonly Either[]): Promise<PlayedHere> {
    const ofLink = planned.filter(isOfLink);
    const ofCalls = planned.filter((it) => !isOfLink(it));
    let hand: Hand | undefined;
    const played = await play(
      scenario,
      this.#opens(ofLink, (it) => (hand = it)),
      ofCalls,
    );
    return { ...played, sprung: [...played.sprung, ...hand!.sprung], queries: hand!.made };
  }

  /** All that may happen once, at a call or at a query. */
  async singlesOf(scenario: Scenario): Promise<Either[]> {
    const { violations, made, queries } = await this.play(scenario, []);
    if (violations.length > 0) throw new Error(`${scenario.name}, undisturbed: ${violations.join("; ")}`);
    const calls = made.slice(0, Math.ceil(made.length * nearTheEnd));
    const until = Math.ceil(queries.length * nearTheEnd);
    const ofLinks = Array.from({ length: until }, (_, at) => linkFaults.map((fault) => ({ at, fault })));
    return [...singlesOf(calls), ...ofLinks.flat()];
  }

  async note(scenario: Scenario, one: Either, tally: Tally): Promise<void> {
    const played = await this.play(scenario, [one]);
    const { sprung } = played;
    tally.note([one], {
      ...played,
      violations: sprung.length === 1 ? played.violations : ["the fault did not spring"],
    });
  }

  /** @param told of the hand that holds the connections */
  #opens(planned: readonly PlannedLink[], told: (hand: Hand) => void): Opens {
    return async (_, happened) => {
      const world = new WaitingClock();
      const settings = { schema: this.#schema, clock: world, notifications: false };
      const plain = new pg.Pool({ connectionString: this.#url, max: 3, options: patience });
      plain.on("error", () => undefined);
      const hand = new Hand(planned, happened);
      const quiet = new Link(plain, new Hand([], () => undefined), world);
      const store = postgresStore(quiet, settings);
      await store.open();
      await this.#prepare();
      const links: Link[] = [];
      const opened = [store];
      told(hand);
      return {
        ...{ world, store, entries: this.#entries() },
        reach: () => {
          const pool = new pg.Pool({ connectionString: this.#url, max: 3, options: patience });
          const link = new Link(pool, hand, world);
          const reached = postgresStore(link, settings);
          links.push(link);
          opened.push(reached);
          return { store: reached, wasBuried: () => link.wasBuried(), dies: () => link.die() };
        },
        wrongs: async () => {
          const { rows } = await this.#pool.query<{ what: string }>(`SELECT what FROM "${this.#schema}".wrongs`);
          return rows.map(({ what }) => what);
        },
        close: async () => {
          for (const it of opened) if (it.isOpen) await it.close();
          for (const it of [quiet, ...links]) it.close();
        },
      };
    };
  }

  async close(): Promise<void> {
    await this.#pool.query(`DROP SCHEMA IF EXISTS "${this.#schema}" CASCADE`);
    await this.#pool.end();
  }

  /** Nothing of an earlier play is left. */
  async #prepare(): Promise<void> {
    const schema = this.#schema;
    if (!this.#isReady) await this.#pool.query(watchOver(`"${schema}"`));
    this.#isReady = true;
    const { rows } = await this.#pool.query<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 AND tablename <> 'stepwell_migrations'",
      [schema],
    );
    // One statement of several is one transaction. What a process has left behind that was cut off may take a moment to go.
    const text = rows.map(({ name }) => `DELETE FROM "${schema}"."${name}"`).join("; ");
    for (let tries = 0; ; tries++) {
      try {
        return void (await this.#pool.query(text));
      } catch (error) {
        if (tries > 20) throw error;
      }
    }
  }

  #entries(): Entries {
    const table = `"${this.#schema}".entries`;
    const does = (sql: string, key: string, patch: object) =>
      transaction(async (client: pg.ClientBase) => {
        await client.query(sql, [key]);
        return patch;
      });
    return {
      enter: (key, patch) => does(`INSERT INTO ${table} (key) VALUES ($1)`, key, patch),
      remove: (key, patch) => does(`DELETE FROM ${table} WHERE key = $1`, key, patch),
      all: async () => (await this.#pool.query<{ key: string }>(`SELECT key FROM ${table}`)).rows.map(({ key }) => key),
    };
  }
}

/** The fence, as the server sees it: who commits is the owner. And a table of the user's own. */
function watchOver(schema: string): string {
  return `
CREATE TABLE ${schema}.entries (key TEXT NOT NULL);
CREATE TABLE ${schema}.wrongs (what TEXT NOT NULL);
CREATE FUNCTION ${schema}.watch_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.owner IS NULL OR (NEW.owner IS NOT NULL AND NEW.owner <> OLD.owner) THEN
    INSERT INTO ${schema}.wrongs VALUES (format('%s is %s''s, and takes what %s writes', OLD.id, OLD.owner, NEW.owner));
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER watch_over BEFORE UPDATE ON ${schema}.stepwell_executions FOR EACH ROW
  WHEN (NEW.revision > OLD.revision) EXECUTE FUNCTION ${schema}.watch_over()`;
}
