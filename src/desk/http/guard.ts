/** Who may ask: the name under which they ask, the page they ask from, and who they are. */
import { createHash, timingSafeEqual } from "node:crypto";
import { fillRandom } from "../../clock.js";
import { Refused } from "./answers.js";
import { isLine, type DeskSettings } from "./options.js";
import type { DeskRight } from "./shapes.js";

const local = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

const cookieName = "stepwell_desk";

/** So many browsers may be signed in; the first one goes where there are more. */
const mostSessions = 100;

/** The sessions of a desk that is opened by a token. They end with the process. */
export class Guard {
  readonly #settings: DeskSettings;
  readonly #sessions = new Set<string>();

  constructor(settings: DeskSettings) {
    this.#settings = settings;
  }

  /** @throws Refused where the request came under a name that is not the desk's: a foreign site may lead its own name here */
  checkHost(request: Request): void {
    const host = hostOf(request);
    if (this.#knows(host)) return;
    throw new Refused(
      421,
      "DESK_BAD_HOST",
      this.#settings.hosts === undefined
        ? `This desk answers under localhost only, and was asked as ${JSON.stringify(host)}. Who mounts it names its hosts: desk(client, { hosts: […] }).`
        : `This desk does not answer under the name ${JSON.stringify(host)}.`,
    );
  }

  #knows(host: string): boolean {
    const { hosts } = this.#settings;
    return hosts === undefined ? local.test(host) : hosts.includes(host);
  }

  /** @throws Refused where what would write did not come from the desk's own page */
  checkOrigin({ headers }: Request, host: string): void {
    const refused = (why: string): Refused => new Refused(403, "DESK_BAD_ORIGIN", `Refused: ${why}.`);
    if (headers.get("x-stepwell-desk") !== "1") throw refused("the header x-stepwell-desk is not there");
    const site = headers.get("sec-fetch-site");
    if (site !== null && site !== "same-origin") throw refused("another site asks");
    const origin = headers.get("origin");
    // Browsers send it with everything that writes. A program that has the right to ask can send it too.
    if (origin === null) throw refused("the request does not say from where it comes");
    const from = URL.canParse(origin) ? new URL(origin).host : "";
    const isOwn = from === host || (this.#settings.hosts?.includes(from) ?? false);
    if (!isOwn) throw refused("another site asks");
  }

  /** @throws Refused @returns who asks */
  async authorize(request: Request, right: DeskRight): Promise<string> {
    const { authorize, by } = this.#settings;
    if (authorize === undefined) {
      if (this.#hasSession(request)) return by;
      throw signIn("Sign in with the token that `stepwell desk` has printed.");
    }
    const user = await authorize(request, right);
    if (user === undefined || user === null) throw signIn("Nobody is signed in.");
    if (user === false) throw new Refused(403, "DESK_FORBIDDEN", words[right]);
    if (typeof user === "object" && isLine(user.by)) return user.by;
    throw new TypeError(`desk: "authorize" gave neither { by } with a name of one line, nor false, nor undefined`);
  }

  /** Gives a cookie for the token. @throws Refused */
  exchange(request: Request, token: string): string {
    const { token: known } = this.#settings;
    if (known === undefined || !isSame(token, known)) throw signIn("That token is not the one of this desk.");
    const bytes = new Uint8Array(32);
    fillRandom(bytes);
    const session = Buffer.from(bytes).toString("base64url");
    this.#sessions.add(digest(session).toString("hex"));
    if (this.#sessions.size > mostSessions) this.#sessions.delete(this.#sessions.values().next().value!);
    return this.#cookie(request, session, "");
  }

  /** Ends the session of the request. */
  end(request: Request): string {
    const session = sessionIn(request);
    if (session !== undefined) this.#sessions.delete(digest(session).toString("hex"));
    return this.#cookie(request, "", "; Max-Age=0");
  }

  #hasSession(request: Request): boolean {
    const session = sessionIn(request);
    // Looked up by its digest: how long that takes tells nothing of the session itself.
    return session !== undefined && this.#sessions.has(digest(session).toString("hex"));
  }

  #cookie(request: Request, value: string, more: string): string {
    const secure = new URL(request.url).protocol === "https:" ? "; Secure" : "";
    return `${cookieName}=${value}; Path=${this.#settings.mount}; HttpOnly; SameSite=Strict${secure}${more}`;
  }
}

const words: Readonly<Record<DeskRight, string>> = {
  read: "You may not look at this desk.",
  "act-one": "You may look, and not act on executions.",
  "act-many": "You may not act on many executions at once.",
  launch: "You may not launch executions.",
};

/** As the request names it; an adapter that gives no headers of the connection has it in the address. */
export function hostOf(request: Request): string {
  return (request.headers.get("host") ?? new URL(request.url).host).toLowerCase();
}

function sessionIn(request: Request): string | undefined {
  const cookies = (request.headers.get("cookie") ?? "").split(";").map((it) => it.trim());
  return cookies.find((it) => it.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function signIn(message: string): Refused {
  return new Refused(401, "DESK_SIGN_IN", message);
}
