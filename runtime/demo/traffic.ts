/** Who drives up to which lane, and when. */
import type { Clock } from '../clock.ts';
import type { Car, Lane } from './lane.ts';
import type { Plates } from './messages.ts';

const SHORTEST_MS = 6000;
const LONGEST_MS = 10_000;
const UNKNOWN_OF = 6;
const UNREAD_OF = 12;
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';

export interface TrafficOptions {
  readonly lanes: readonly { readonly lane: Lane; readonly way: 'in' | 'out' }[];
  readonly clock: Clock;
  /** 0 to below 1. */
  readonly random: () => number;
}

export class Traffic {
  readonly #options: TrafficOptions;
  #plates: Plates = { known: [], unknown: [] };
  #inside = new Set<string>();
  #cancel = (): void => {};

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /** @param everyMs a fixed interval; 0: cars come only when asked for; absent: every 6 to 10 s. */
  start(plates: Plates, everyMs?: number): void {
    this.#plates = plates;
    this.#inside = new Set(plates.known.filter((_, i) => i % 2 === 0));
    this.#cancel();
    if (everyMs !== 0) this.#next(everyMs);
  }

  stop(): void {
    this.#cancel();
  }

  /** A car that could come now. @param way absent: either. */
  car(way: 'in' | 'out'): Car {
    const { random } = this.#options;
    if (random() < 1 / UNREAD_OF) return {};
    if (random() < 1 / UNKNOWN_OF) return { plate: this.#pick(this.#plates.unknown) ?? this.#stranger() };
    const here = this.#plates.known.filter((plate) => this.#inside.has(plate) === (way === 'out'));
    const plate = this.#pick(here.length > 0 ? here : this.#plates.known) ?? this.#stranger();
    if (way === 'in') this.#inside.add(plate);
    else this.#inside.delete(plate);
    return { plate };
  }

  #next(everyMs: number | undefined): void {
    const { clock, random, lanes } = this.#options;
    const wait = everyMs ?? SHORTEST_MS + random() * (LONGEST_MS - SHORTEST_MS);
    this.#cancel = clock.after(wait, () => {
      this.#next(everyMs);
      const choice = this.#pick(lanes.filter(({ lane }) => !lane.busy));
      choice?.lane.arrive(this.car(choice.way));
    });
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#options.random() * from.length)];
  }

  #stranger(): string {
    const letter = this.#pick([...LETTERS]) ?? 'A';
    return `粤${letter}${String(10_000 + Math.floor(this.#options.random() * 90_000))}`;
  }
}
