import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Schemas of any Standard Schema library, by the messages' names. */
export type Messages = Readonly<Record<string, StandardSchemaV1>>;

/** A union of the declared messages, by name, each with the payload as its schema gives it. */
export type MessageOf<M extends Messages> = {
  [K in keyof M & string]: {
    readonly name: K;
    readonly payload: StandardSchemaV1.InferOutput<M[K]>;
    /** The sender's `messageId`, else the id that was made for the message. */
    readonly id: string;
  };
}[keyof M & string];
