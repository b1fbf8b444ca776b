/** What a request brings: bounded, of the right type, and read field by field. */
import { badRequest, Refused } from "./answers.js";

/** In bytes. A value may be 1 MiB large by default, and its text is escaped once more. */
const largest = 4 * 1024 * 1024;

export type Fields = Readonly<Record<string, unknown>>;

/** @throws Refused */
export async function bodyOf(request: Request): Promise<Fields> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new Refused(415, "DESK_BAD_REQUEST", "The body must be JSON, of the type application/json.");
  }
  if (Number(request.headers.get("content-length") ?? 0) > largest) throw tooLarge();
  const text = await textOf(request);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw badRequest("The body is no JSON.");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw badRequest("The body must be an object.");
  return body as Fields;
}

/** A request may say nothing of its length, or something wrong. */
async function textOf({ body }: Request): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > largest) throw tooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function tooLarge(): Refused {
  return new Refused(413, "DESK_TOO_LARGE", `The body is larger than ${largest} bytes.`);
}

/** @throws Refused */
export function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw badRequest(`"${name}" must be a text.`);
}

export function optionalText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  // A form gives an empty field where nothing was said.
  return value === undefined || value === null || value === "" ? undefined : text(fields, name);
}

export function count(fields: Fields, name: string): number {
  const value = fields[name];
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw badRequest(`"${name}" must be a whole number from 0 on.`);
}

export function optionalCount(fields: Fields, name: string): number | undefined {
  return fields[name] === undefined ? undefined : count(fields, name);
}

export function flag(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (value === undefined || typeof value === "boolean") return value === true;
  throw badRequest(`"${name}" must be true or false.`);
}

export function texts(fields: Fields, name: string): readonly string[] | undefined {
  const value: unknown = fields[name];
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((it) => typeof it === "string")) return value;
  throw badRequest(`"${name}" must be an array of texts.`);
}

export function object(fields: Fields, name: string): Fields {
  const value = fields[name];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw badRequest(`"${name}" must be an object.`);
}

/** A text, or a number that is written whole. */
const textOrInteger = /"(?:\\.|[^"\\])*"|-?\d+(?![\d.eE])/g;

/** The value that the text of JSON stands for, as somebody has typed it. @throws Refused where a number would lose digits */
export function typed(fields: Fields, name: string): unknown {
  const source = text(fields, name);
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw badRequest(`"${name}" is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  for (const [token] of source.matchAll(textOrInteger)) {
    if (!token.startsWith('"') && BigInt(Number(token)) !== BigInt(token)) {
      throw badRequest(`"${name}": ${token} has more digits than a number can keep. Give it as a text.`);
    }
  }
  return value;
}
