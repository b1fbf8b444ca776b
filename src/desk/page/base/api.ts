/** The desk's interface over HTTP, typed by its shapes. */
import { keepPreviousData, useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import type { ActAnswer, Acts, Refusal } from "../../http/act-shapes.js";
import type { DeskRight, Session } from "../../http/shapes.js";
import type { ActName } from "../../model/words.js";
import { addressOf } from "./address.js";
import { heard } from "./live.js";

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The desk answered, and the answer was no. */
export class RequestFailed extends Error {
  override readonly name = "RequestFailed";
  readonly status: number;
  readonly code: string | undefined;
  /** What has happened since the page was read, where that is why. */
  readonly changed: Refusal["changed"];

  constructor(status: number, refusal: Refusal | undefined) {
    super(
      refusal?.error.message ?? `The desk answered with ${status}, and not in its own words: something stands between.`,
    );
    this.status = status;
    this.code = refusal?.error.code;
    this.changed = refusal?.changed;
  }
}

function pathOf(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const values = Array.isArray(value) ? value : [value];
    for (const one of values as readonly (string | number | boolean | undefined)[]) {
      if (one !== undefined && one !== "") search.append(name, String(one));
    }
  }
  const text = search.toString();
  return text === "" ? path : `${path}?${text}`;
}

async function refusalOf(response: Response): Promise<RequestFailed> {
  const body: unknown = await response.json().catch(() => undefined);
  const isRefusal = typeof body === "object" && body !== null && "error" in body;
  return new RequestFailed(response.status, isRefusal ? (body as Refusal) : undefined);
}

async function answer(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(addressOf(path), { credentials: "same-origin", cache: "no-store", ...init });
  if (!response.ok) throw await refusalOf(response);
  return response;
}

export async function read<Shape>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Shape> {
  const response = await answer(pathOf(path, query), signal === undefined ? {} : { signal });
  const body: Shape = await response.json();
  const told = (body as { readonly now?: unknown }).now;
  if (typeof told === "string") heard(told);
  return body;
}

export async function readText(path: string): Promise<string> {
  return (await answer(path, {})).text();
}

async function post<Shape>(path: string, body: unknown): Promise<Shape> {
  const headers = { "content-type": "application/json", "x-stepwell-desk": "1" };
  const response = await answer(path, { method: "POST", headers, body: JSON.stringify(body) });
  return response.json() as Promise<Shape>;
}

export const act = <Name extends ActName>(name: Name, body: Acts[Name]): Promise<ActAnswer> =>
  post<ActAnswer>(`api/acts/${name}`, body);

export const signIn = (token: string): Promise<Session> => post<Session>("api/session", { token });

/** What is shown stays until its successor is there: nothing jumps. */
export function useRead<Shape>(path: string, query: Query = {}, enabled = true): UseQueryResult<Shape> {
  const options = {
    queryKey: [path, query],
    queryFn: ({ signal }: { readonly signal: AbortSignal }) => read<Shape>(path, query, signal),
  };
  const client = useQueryClient();
  // It is asked for before the page is drawn that waits for it, and not after.
  if (enabled && client.getQueryState(options.queryKey) === undefined) void client.prefetchQuery(options);
  return useQuery({ ...options, placeholderData: keepPreviousData, enabled });
}

export function useSession(): Session | undefined {
  return useQuery({
    queryKey: ["api/session"],
    queryFn: ({ signal }) => read<Session>("api/session", {}, signal),
    staleTime: Infinity,
  }).data;
}

/** Whether who reads may do this. Only the handler decides; the page leaves out what it would refuse. */
export function useMay(right: DeskRight): boolean {
  return useSession()?.rights.includes(right) === true;
}
