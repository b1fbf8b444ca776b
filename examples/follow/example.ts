/**
 * Two processes: a launcher drives a delivery, and this one, a web server, tells a browser how it gets on. The browser loses its
 * connection on the way, comes back, and has seen each step once.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "stepwell";
import { sqliteStore } from "stepwell/sqlite";
import { delivery } from "./delivery.js";
import { progressServer } from "./progress.js";

const folder = mkdtempSync(join(tmpdir(), "stepwell-follow-"));
const place = join(folder, "deliveries.db");
const script = fileURLToPath(new URL("launcher.ts", import.meta.url));
const worker = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), script, place], {
  stdio: ["ignore", "pipe", "inherit"],
});
await once(worker.stdout, "data");

const client = new Client({ store: sqliteStore(place) });
const server = progressServer(client).listen(0, "127.0.0.1");
await once(server, "listening");
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/progress/delivery-1`;

/** As a browser reads events: `id: 1` and `data: …`, with an empty line after each. Goes away after so many. */
async function read(lastSeen: number, most: number): Promise<number> {
  const response = await fetch(address, { headers: { "last-event-id": String(lastSeen) } });
  let [text, seen, last] = ["", 0, lastSeen];
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (text += part).split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      console.log(event.split("\n").join("  "));
      last = Number(/^id: (\d+)/.exec(event)?.[1] ?? last);
      seen += 1;
      if (seen === most) return last;
    }
  }
  return last;
}

try {
  const execution = await client.launch(delivery, { to: "Ada" }, { id: "delivery-1" });
  const last = await read(0, 2);
  console.log(`the connection is lost after ${last}`);
  await read(last, Infinity);

  await execution.rollback("wrong address", { by: "ada" });
  console.log("undone from here on");
  await read(4, Infinity);
} finally {
  server.closeAllConnections();
  server.close();
  await client.stop();
  worker.kill();
  await once(worker, "exit");
  rmSync(folder, { recursive: true });
}
