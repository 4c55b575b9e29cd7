/** What a fault trial is: something goes wrong on purpose, from a seed, and named promises must hold all the same. */

/** `slice`: seconds, inside `npm test`. `normal`: what `npm run faults` does. `long`: with `--long`. */
export type Size = 'slice' | 'normal' | 'long';

export interface TrialContext {
  readonly seed: number;
  readonly size: Size;
  /** How long it is to take, for a trial that can take any time. */
  readonly minutes?: number;
  /** From 0 up to, but not including, 1; the same sequence for the same seed. */
  random(): number;
  /** A line for the person who watches: what was done, how often, how long it took. */
  say(text: string): void;
}

export interface Trial {
  /** As `--only` names it, e.g. `power-cut`. */
  readonly id: string;
  /** Ids of the promises it holds the gateway to, e.g. `R2`. */
  readonly promises: readonly string[];
  /** One line. */
  readonly about: string;
  /** @throws Broken when a promise does not hold; anything else: the trial itself could not be carried out */
  run(context: TrialContext): Promise<void>;
}

/** A promise did not hold. */
export class Broken extends Error {
  readonly promise: string;
  readonly detail: string;

  constructor(promise: string, detail: string) {
    super(`${promise}: ${detail}`);
    this.name = 'Broken';
    this.promise = promise;
    this.detail = detail;
  }
}

/** @throws Broken unless `holds` */
export function hold(promise: string, holds: boolean, detail: string | (() => string)): asserts holds {
  if (!holds) throw new Broken(promise, typeof detail === 'string' ? detail : detail());
}

/** Numbers from 0 up to 1 that look random and are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An integer from 0 up to, but not including, `below`. */
export const pick = (random: () => number, below: number): number => Math.floor(random() * below);

export interface Outcome {
  readonly trial: Trial;
  readonly seed: number;
  readonly seconds: number;
  /** Why it did not hold: the promise that broke, or what kept the trial from being carried out. */
  readonly failure?: Error;
}

export async function perform(
  trial: Trial,
  seed: number,
  size: Size,
  say: (text: string) => void = () => {},
  minutes?: number,
): Promise<Outcome> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  try {
    await trial.run({ seed, size, random: seeded(seed), say, ...(minutes === undefined ? {} : { minutes }) });
    return { trial, seed, seconds: seconds() };
  } catch (error) {
    return {
      trial,
      seed,
      seconds: seconds(),
      failure: error instanceof Error ? error : new Error(String(error)),
    };
  }
}

/** Of the whole run: 0 only if every trial was carried out and held. */
export const exitCodeOf = (outcomes: readonly Pick<Outcome, 'failure'>[]): number =>
  outcomes.length > 0 && outcomes.every(({ failure }) => failure === undefined) ? 0 : 1;
