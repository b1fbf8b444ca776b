import pg from "pg";
import { describe, expect, test } from "vitest";
import { checkSchema, checkUrl, placeOf } from "./address.js";
import { Hosts } from "./hosts.js";

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
    ["postgres://me:p@canary/7@db.example:6543/shop", "the PostgreSQL database shop on db.example:6543"],
    ["postgres://me:p@can#ary/7@db.example/shop", "the PostgreSQL database shop on db.example"],
    ["postgres://me:12/canary@db.example/shop", "the PostgreSQL database shop on db.example"],
    ["postgres://me:p@canary?7@db.example/shop", "the PostgreSQL database"],
    ["postgres://me:canary/7", "the PostgreSQL database"],
  ])("holds no secret: %s", (url, place) => {
    expect(placeOf(url)).toBe(place);
  });
});

test.each([
  ["p@canary/7", "p@canary/7"],
  ["p@c#n[a]r\\y:/7 %", "p@c#n[a]r\\y:/7 %"],
  ["p%40canary%2F7", "p@canary/7"],
  ["100%pure@/", "100%pure@/"],
])("the password %s is read up to the last @", (written, password) => {
  const client = new pg.Client(new Hosts(`postgres://me:${written}@db.example:6543/shop?application_name=desk`).url);
  expect(client).toMatchObject({ user: "me", password, host: "db.example", port: 6543, database: "shop" });
});

test.each([
  "postgres://me:p@canary?7@db.example/shop",
  "postgres://me:12?canary@db/shop",
  "postgres://db/shop?user=a@b",
])("%s can be read in two ways, so it is refused, and not printed", (url) => {
  expect(() => checkUrl(url)).toThrow(
    expect.objectContaining({
      code: "STEPWELL_INVALID_ARGUMENT",
      message: expect.stringMatching(/^(?!.*canary).*%40/),
    }),
  );
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
