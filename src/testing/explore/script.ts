/** Says at each point of a history what happens there, and writes down what else might have. */
import type { Course, Fault, Point } from "./course.js";

export class Script {
  readonly #course: Course;
  readonly #isLeftOut: (fault: Fault) => boolean;
  readonly #counts = new Map<string, number>();
  #done = 0;
  /** Where something more could happen, after all that was to happen. */
  readonly points: Point[] = [];
  /** A point at which something else was to happen than can. */
  impossible: Point | undefined;
  /** Every point, in order: the same course comes to the same ones. */
  readonly passed: string[] = [];

  constructor(course: Course, isLeftOut: (fault: Fault) => boolean) {
    this.#course = course;
    this.#isLeftOut = isLeftOut;
  }

  /** All has happened that was to happen. */
  get isOver(): boolean {
    return this.#done === this.#course.length;
  }

  /** What was to happen, and did not: the history has not come to its point. */
  get missed(): Course {
    return this.#course.slice(this.#done);
  }

  /** @param faults what may happen there; undefined is given back where nothing does */
  at(name: string, faults: readonly Fault[]): Fault | undefined {
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    const at = count === 1 ? name : `${name}#${count}`;
    this.passed.push(at);
    const next = this.#course[this.#done];
    if (next?.at === at) {
      this.#done++;
      if (faults.includes(next.fault)) return next.fault;
      this.impossible = { at, faults };
      return undefined;
    }
    if (next === undefined) {
      const offered = faults.filter((fault) => !this.#isLeftOut(fault));
      if (offered.length > 0) this.points.push({ at, faults: offered });
    }
    return undefined;
  }
}
