/** A desk of its own for this machine: what `stepwell desk` opens. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { StepwellError, type Client } from "../../index.js";
import { fillRandom } from "../../clock.js";
import { desk } from "./desk.js";
import { nodeListener } from "./node.js";
import type { DeskOptions } from "./options.js";

export interface OpenDeskOptions extends Pick<DeskOptions, "by" | "redact" | "workflows" | "onError"> {
  /** 0: any that is free. Default: 4949. */
  readonly port?: number;
}

export interface OpenDesk {
  /** For a browser, once: it ends in a token, behind a `#`, so that no server and no log has it. */
  readonly address: string;
  readonly port: number;
  /** Ends it, and every connection to it. The client goes on. */
  close(): Promise<void>;
}

/**
 * Opens the desk to this machine alone, under `127.0.0.1`, for who has the token. To open it to others, mount `desk(…)` in a server of
 * your own, with `authorize`.
 *
 * @throws STEPWELL_INVALID_ARGUMENT where the port is taken or none
 */
export async function openDesk(client: Client, { port = 4949, ...options }: OpenDeskOptions = {}): Promise<OpenDesk> {
  const bytes = new Uint8Array(32);
  fillRandom(bytes);
  const token = Buffer.from(bytes).toString("base64url");
  const server = createServer(nodeListener(desk(client, { ...options, token })));
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: Error): void => {
      const message = `The desk can't listen at 127.0.0.1:${port}: ${cause.message}. Choose another port.`;
      reject(new StepwellError("STEPWELL_INVALID_ARGUMENT", message, { cause }));
    };
    server.once("error", refuse);
    try {
      server.listen(port, "127.0.0.1", resolve);
    } catch (error) {
      refuse(error as Error);
    }
  });
  const { port: chosen } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${chosen}/#token=${token}`,
    port: chosen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Streams of events would keep it open for ever.
        server.closeAllConnections();
      }),
  };
}
