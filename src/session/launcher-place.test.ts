import { hostname } from "node:os";
import { expect, test } from "vitest";
import { ownIdentity } from "../worker/process-identity.js";
import { placeIn } from "./launcher-place.js";

test("the name of a launcher's machine is told from where its process has its number", () => {
  expect(placeIn(ownIdentity().host).name).toBe(hostname());
  expect(placeIn("boot-1/pid:[4026531836]@81231@worker-1")).toEqual({
    place: "boot-1/pid:[4026531836]",
    name: "worker-1",
  });
  expect(placeIn("linux/a@@b@c")).toEqual({ place: "linux/a", name: "b@c" });
});

test("a launcher of an older version, which gave no name, goes by its place", () => {
  expect(placeIn("boot-1/pid:[4026531836]@81231")).toEqual({
    place: "boot-1/pid:[4026531836]",
    name: "boot-1/pid:[4026531836]",
  });
});
