import { expect, test } from "vitest";
import { Moves } from "./moves.js";

test("those who follow an execution are told of it, each once, until they stop", () => {
  const moves = new Moves();
  expect([moves.isWatched, moves.wanted]).toEqual([false, []]);
  const heard: string[] = [];
  const all = moves.follow("all", (ids) => heard.push(`all ${ids.join()}`));
  expect([moves.isWatched, moves.wanted]).toEqual([true, "all"]);
  const own = moves.follow(["a", "b"], (ids) => heard.push(`own ${ids.join()}`));
  const other = moves.follow(["b"], (ids) => heard.push(`other ${ids.join()}`));
  moves.tell(["a", "b", "c"]);
  expect(heard.splice(0)).toEqual(["all a,b,c", "own a", "own b", "other b"]);
  all();
  all();
  own();
  expect(moves.wanted).toEqual(["b"]);
  moves.tell(["a", "b", "c"]);
  moves.tell([]);
  expect(heard.splice(0)).toEqual(["other b"]);
  other();
  expect([moves.isWatched, moves.wanted]).toEqual([false, []]);
});

test("one that stops while it is told does not keep others from being told", () => {
  const moves = new Moves();
  const heard: string[] = [];
  const stops = [0, 1, 2].map((number) =>
    moves.follow(["a"], () => {
      heard.push(String(number));
      for (const stop of stops) stop();
    }),
  );
  moves.tell(["a"]);
  expect(heard).toEqual(["0", "1", "2"]);
  expect(moves.isWatched).toBe(false);
});
