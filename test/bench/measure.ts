/** Numbers and how they are taken: pairs in alternation, the ratio of each pair, median and spread (perf.md). */
export interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, measured in the same run. */
  readonly peer: string;
  readonly peerValue: number;
  /** Median of the ratios of the pairs, ours to the peer. */
  readonly ratio: number;
  /** Smallest and largest of our own values. */
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}
export interface Benchmark {
  readonly name: string;
  /** One line for the table's reader: what is compared with what. */
  readonly about: string;
  /** Takes too long for a run of everything: only when it is named. */
  readonly asked?: true;
  /** @param minutes for the benchmarks that take as long as one has */
  run(rounds: number, minutes: number): Promise<Result[]>;
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

/** @param share 0.5 for p50, 0.99 for p99 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** @param pairs ours and the peer's value of each round */
export function compare(
  name: string,
  unit: string,
  peer: string,
  pairs: readonly (readonly [number, number])[],
): Result {
  const ours = pairs.map(([own]) => own);
  return {
    name,
    unit,
    peer,
    value: median(ours),
    peerValue: median(pairs.map(([, other]) => other)),
    ratio: median(pairs.map(([own, other]) => own / other)),
    min: Math.min(...ours),
    max: Math.max(...ours),
    runs: pairs.length,
  };
}

/** Runs both in turn, the second first in every other round, so that a drift of the machine meets both. */
export async function alternate<T = number>(
  rounds: number,
  ours: () => Promise<T>,
  peer: () => Promise<T>,
): Promise<[T, T][]> {
  const pairs: [T, T][] = [];
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      const own = await ours();
      pairs.push([own, await peer()]);
    } else {
      const other = await peer();
      pairs.push([await ours(), other]);
    }
  }
  return pairs;
}

export const resident = (statusText: string): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(statusText)?.[1] ?? Number.NaN) / 1024;
