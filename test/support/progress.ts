/** Says at the beginning how long the tests take, and on the way how far they are. */
import type { Reporter, TestModule, TestSpecification } from "vitest/node";

/** Between two lines, in milliseconds, where no terminal shows the files as they run. */
const pause = 15_000;

export interface ProgressOptions {
  /** About how long all files of each project take on two cores, in minutes. */
  readonly minutes: Readonly<Record<string, number>>;
}

export class Progress implements Reporter {
  readonly #minutes: Readonly<Record<string, number>>;
  #start = 0;
  #told = 0;
  #files = 0;
  #ended = 0;
  #failed = 0;

  constructor({ minutes }: ProgressOptions) {
    this.#minutes = minutes;
  }

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    this.#start = this.#told = Date.now();
    this.#files = specifications.length;
    this.#ended = this.#failed = 0;
    const projects = new Set(specifications.map(({ project }) => project.name));
    const minutes = [...projects].reduce((sum, name) => sum + (this.#minutes[name] ?? 0), 0);
    // Somebody who picks some files knows that they take less.
    if (this.#files > 50 || !projects.has("main")) {
      console.log(`${this.#files} test files: about ${minutes} minutes on two cores.`);
    }
  }

  onTestModuleEnd(module: TestModule): void {
    this.#ended += 1;
    if (!module.ok()) this.#failed += 1;
    const now = Date.now();
    if (process.stdout.isTTY || now - this.#told < pause) return;
    this.#told = now;
    const failed = this.#failed === 0 ? "" : `, ${this.#failed} failed`;
    console.log(`${this.#ended} of ${this.#files} files${failed}, ${minutesOf(now - this.#start)}`);
  }
}

function minutesOf(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
}
