/** The desk's web page on the orders of the day: a client of the store, in a process that drives none of them. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Client } from "stepwell";
import { desk } from "stepwell/desk";
import { sqliteStore } from "stepwell/sqlite";

export interface OpenPage {
  /** With what signs in: for the eyes of who has started it. */
  readonly address: string;
}

/** @param file the store of the order desk */
export async function openPage(file: string): Promise<OpenPage> {
  const client = new Client({ store: sqliteStore(file) });
  const token = randomBytes(24).toString("hex");
  const handler = desk(client, { token });
  const server = serve({ fetch: handler, hostname: "127.0.0.1", port: 0 });
  await once(server, "listening");
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/#token=${token}` };
}
