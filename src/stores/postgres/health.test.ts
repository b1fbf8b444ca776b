import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { postgresUrl } from "../../../test/support/postgres.js";
import { postgresHealth } from "./index.js";

/** What the server says, without notifications: a pooler in transaction mode passes on none. */
function withoutNotifications(pass: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    // A letter, and how long what follows it is.
    while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
      const length = 1 + rest.readUInt32BE(1);
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      if (message[0] !== "A".charCodeAt(0)) pass(message);
    }
  };
}

async function pooler(url: string): Promise<string> {
  const target = new URL(url);
  const [port, host] = [Number(target.port), target.hostname];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
    }
    client.pipe(upstream);
    upstream.on(
      "data",
      withoutNotifications((message) => client.write(message)),
    );
    upstream.on("end", () => client.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  target.hostname = "127.0.0.1";
  target.port = String((server.address() as AddressInfo).port);
  return target.href;
}

test("one connection hears what another one tells, but not where a pooler keeps it from it", async () => {
  expect(await postgresHealth(postgresUrl())).toMatchObject({ hears: true });
  expect(await postgresHealth(await pooler(postgresUrl()))).toMatchObject({ hears: false });
});
