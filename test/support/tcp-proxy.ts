/** A network between a client and a server that can fail as networks do. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * - `open`: all is passed on
 * - `mute`: what the client says arrives, what the server answers is lost
 * - `frozen`: nothing arrives anywhere, and nobody is told
 */
type Mode = "open" | "mute" | "frozen";

export class TcpProxy {
  mode: Mode = "open";
  /** How long all that is said is on its way, in each direction, in milliseconds. What was said first arrives first. */
  lag = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: URL;
  #heard: ((port: number) => void) | undefined;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((client) => this.#accept(client));
  }

  static async before(url: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(url);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.hostname = "127.0.0.1";
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /**
   * The next thing that the server says while it is mute; with `port`, to the connection that has it on the client's
   * side, since a heartbeat on another one may be answered first.
   */
  answered(port?: number): Promise<void> {
    return new Promise((resolve) => {
      this.#heard = (heard) => {
        if (port === undefined || heard === port) resolve();
      };
    });
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    const server = connect(Number(this.#target.port), this.#target.hostname);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    const port = client.remotePort!;
    const later = { there: this.#way(), back: this.#way() };
    client.on("data", (data) => {
      if (this.mode !== "frozen") later.there(() => server.write(data));
    });
    server.on("data", (data) => {
      if (this.mode === "open") later.back(() => client.write(data));
      else if (this.mode === "mute") this.#heard?.(port);
    });
  }

  #way(): (act: () => void) => void {
    let before = Promise.resolve();
    let underway = 0;
    return (act) => {
      if (this.lag === 0 && underway === 0) return act();
      underway++;
      const arrival = sleep(this.lag);
      before = before.then(async () => {
        await arrival;
        underway--;
        act();
      });
    };
  }
}
