/**
 * Turns, one after the other, until there is something to wait for. What answers at once costs no promise; where something does not, the
 * turns stop, and its answer starts them again.
 */
import type { Clock } from "../clock.js";
import type { MaybePromise } from "../values/promise.js";

/** After so many turns without a wait others have theirs. */
const mostTurns = 256;

/** How long before what the store could not do is tried again, in milliseconds, on the average. */
const outagePause = 500;

export abstract class Turns {
  protected isOver = false;
  /** An answer is outstanding; it will start the turns again. */
  protected isWaiting = false;
  readonly #clock: Clock;
  #isLooping = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does the next thing that is due, and only that. */
  protected abstract turn(): void;
  /** Before the first turn; perhaps more than once. */
  protected abstract woken(): void;
  /** Something that should not fail has failed. */
  protected abstract broken(error: unknown): void;

  /** Goes on as far as it can without waiting. Never throws. */
  go(): void {
    if (this.#isLooping || this.isWaiting) return;
    this.#isLooping = true;
    this.woken();
    for (let turns = 0; !this.isOver && !this.isWaiting; turns++) {
      if (turns === mostTurns) this.#breathe();
      else this.#safeTurn();
    }
    this.#isLooping = false;
  }

  /** As `safely`, without a closure: this is what is done most often. */
  #safeTurn(): void {
    try {
      this.turn();
    } catch (error) {
      this.broken(error);
    }
  }

  protected safely(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.broken(error);
    }
  }

  /** Goes on with a value that may come later. */
  protected goOnWith<T>(value: MaybePromise<T>, use: (value: T) => void = () => undefined): void {
    if (value instanceof Promise) this.#waitFor(value, use);
    else use(value);
  }

  /** Apart from `goOnWith`, which is called with each turn: a function with closures costs something whenever it is called. */
  #waitFor<T>(value: Promise<T>, use: (value: T) => void): void {
    this.isWaiting = true;
    const goOn = (act: () => void): void => {
      this.isWaiting = false;
      if (this.isOver) return;
      this.safely(act);
      this.go();
    };
    value.then(
      (it) => goOn(() => use(it)),
      (error: unknown) => goOn(() => this.broken(error)),
    );
  }

  /** The store is away. */
  protected waitOut(): void {
    if (this.isWaiting) return;
    this.isWaiting = true;
    // Each after another time: a thousand that wait must not come back in one moment.
    this.#clock.after(outagePause * (0.5 + this.#clock.random()), () => {
      this.isWaiting = false;
      this.go();
    });
  }

  /** Lets others have their turn: work that never waits must not keep the process to itself. */
  #breathe(): void {
    this.isWaiting = true;
    this.#clock.soon(() => {
      this.isWaiting = false;
      this.go();
    });
  }
}
