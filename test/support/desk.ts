/** A desk that is asked without a server: its handler, and requests as the page makes them. */
import type { ActAnswer, Acts, Authorize, DeskOptions, DeskRight, Refusal } from "../../src/desk/index.js";
import { desk, type DeskHandler } from "../../src/desk/index.js";
import type { Client } from "../../src/index.js";

const home = "http://localhost:4949";

export interface Asked<Body> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}

export interface DeskRig {
  readonly handler: DeskHandler;
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>;
  readonly get: <Body>(path: string, query?: Readonly<Record<string, string | number>>) => Promise<Asked<Body>>;
  readonly act: <Name extends keyof Acts>(name: Name, body: Acts[Name]) => Promise<Asked<ActAnswer & Refusal>>;
}

/** May do everything, as ada. */
export const ada: Authorize = () => ({ by: "ada" });

/** May do these. */
export const only =
  (...rights: readonly DeskRight[]): Authorize =>
  (_, right) =>
    rights.includes(right) ? { by: "bob" } : false;

export const writing = {
  "content-type": "application/json",
  "x-stepwell-desk": "1",
  origin: home,
  "sec-fetch-site": "same-origin",
};

export function deskRig(client: Client, options: DeskOptions = { authorize: ada }): DeskRig {
  const handler = desk(client, options);
  const ask = (path: string, init?: RequestInit): Promise<Response> =>
    handler(new Request(`${home}${options.mount ?? ""}/${path}`, init));
  const asked = async <Body>(response: Response): Promise<Asked<Body>> => {
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
  };
  return {
    handler,
    ask,
    get: async (path, query = {}) => {
      const search = new URLSearchParams();
      for (const [name, value] of Object.entries(query)) search.set(name, String(value));
      return asked(await ask(`api/${path}?${search.toString()}`));
    },
    act: async (name, body) =>
      asked(await ask(`api/acts/${name}`, { method: "POST", headers: writing, body: JSON.stringify(body) })),
  };
}
