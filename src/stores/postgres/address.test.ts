import { describe, expect, test } from "vitest";
import { checkSchema, checkUrl, placeOf } from "./address.js";

describe("what is said of a database", () => {
  test.each([
    ["postgres://me:canary@db.example:6543/shop?sslmode=require", "the PostgreSQL database shop on db.example:6543"],
    ["postgresql://me:canary@db.example/shop", "the PostgreSQL database shop on db.example"],
    ["postgres://me:can%40ary@[::1]:5432/shop", "the PostgreSQL database shop on [::1]:5432"],
    [
      "postgres:///shop?host=/var/run/postgresql&password=canary",
      "the PostgreSQL database shop on /var/run/postgresql",
    ],
    ["postgres://me:canary@/shop?host=/tmp", "the PostgreSQL database shop on /tmp"],
    ["postgres://", "the PostgreSQL database on the default host"],
    ["postgres://me:can ary@db example:x/shop", "the PostgreSQL database"],
  ])("holds no secret: %s", (url, place) => {
    expect(placeOf(url)).toBe(place);
  });
});

test.each(["", "mysql://me@there/shop", "shop.db", "postgres:/shop", "postgres://x\0"])(
  "%j is no connection string",
  (url) => {
    expect(() => checkUrl(url)).toThrow(expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }));
  },
);

test.each(["stepwell", "_a", "orders_2", "a".repeat(50)])("%s may be a schema", (schema) => {
  expect(() => checkSchema(schema)).not.toThrow();
});

test.each(["", "1a", "a-b", "a b", 'a"b', "a;drop", "Orders", "pg_x", "a".repeat(51), "ä", "a\n", 5, null])(
  "%j may not",
  (schema) => {
    expect(() => checkSchema(schema)).toThrow(expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }));
  },
);
