/** The desk's side of the participants' APIs. */
import { z } from "zod";
import { setting } from "./setting.js";

/** Every call says under which key it is asked, and gives up when the step is told to. */
interface Call {
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

/** What to undo: by its id, or, where the answer was lost, by the key that it was requested with. */
type Named = { readonly id: number } | { readonly requestedWith: string };

interface Address {
  readonly name: string;
  readonly street: string;
  readonly postcode: string;
  readonly city: string;
}

const done = z.object({ id: z.number() });
const undone = z.object({ kind: z.string() });
const refusal = z.object({ refused: z.string() });

/** A participant's answer: what it did, or why it will not. Anything else is thrown, and may be tried again. */
type Answer<Done> = Done | z.infer<typeof refusal>;

async function post<Done>(
  participant: "WAREHOUSE" | "BANK" | "CARRIER",
  path: string,
  body: object,
  { idempotencyKey, signal }: Call,
  answer: z.ZodType<Done>,
): Promise<Answer<Done>> {
  const response = await fetch(setting(`${participant}_URL`) + path, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${setting("ORDER_DESK_TOKEN")}`,
      "Content-Type": "application/json",
      "Idempotency-Key": idempotencyKey,
    },
    body: JSON.stringify(body),
    signal,
  });
  const content: unknown = await response.json();
  if (response.ok) return answer.parse(content);
  const refused = refusal.safeParse(content);
  if (refused.success) return refused.data;
  throw new Error(`${participant} answered POST ${path} with ${response.status}: ${JSON.stringify(content)}`);
}

/** An undo must not be refused: then somebody has to look at it. */
async function undo(...call: [Parameters<typeof post>[0], string, Named, Call]): Promise<void> {
  const answer = await post(...call, undone);
  if ("refused" in answer) throw new Error(`${call[0]} refused POST ${call[1]}: ${answer.refused}`);
}

export const warehouse = {
  reserve: (order: string, items: Readonly<Record<string, number>>, call: Call) =>
    post("WAREHOUSE", "/reservations", { order, items }, call, done),
  release: (reservation: Named, call: Call) => undo("WAREHOUSE", "/reservations/release", reservation, call),
  ship: (reservation: number, sku: string, call: Call) =>
    post("WAREHOUSE", "/shipments", { reservation, sku }, call, done),
  undoShipment: (shipment: Named, call: Call) => undo("WAREHOUSE", "/shipments/undo", shipment, call),
};

export const bank = {
  charge: (order: string, card: string, cents: number, call: Call) =>
    post("BANK", "/payments", { order, card, cents }, call, done),
  refund: (payment: Named, call: Call) => undo("BANK", "/refunds", payment, call),
};

export const carrier = {
  book: (order: string, address: Address, call: Call) => post("CARRIER", "/parcels", { order, address }, call, done),
  cancel: (parcel: Named, call: Call) => undo("CARRIER", "/parcels/cancel", parcel, call),
};
