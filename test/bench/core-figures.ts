/** What the core says about itself under `/metrics`, for benchmarks that watch it from outside. */
import type { Gateway } from '../site.ts';

export interface CoreFigures {
  /** Bytes of JavaScript in use. */
  readonly heap: number;
  /** Records committed since the start. */
  readonly records: number;
  /** How often the main thread was late by at most so many seconds, and in all. */
  readonly delays: readonly { readonly le: number; readonly count: number }[];
}

export async function coreFigures(gateway: Gateway): Promise<CoreFigures> {
  const response = await fetch(`${gateway.url}/metrics`);
  if (!response.ok) throw new Error(`/metrics: ${response.status}`);
  const text = await response.text();
  const all = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))].map(
      ([, labels = '', value = '']) => [labels, Number(value)] as const,
    );
  return {
    heap: all('gh_heap_bytes')[0]?.[1] ?? Number.NaN,
    records: all('gh_records_total').reduce((sum, [, value]) => sum + value, 0),
    delays: all('gh_event_loop_delay_seconds_bucket').map(([labels, count]) => {
      const le = /le="([^"]+)"/.exec(labels)?.[1] ?? '';
      return { le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), count };
    }),
  };
}

/** Milliseconds that this share of the times between the two looks stayed below; the upper end of its bucket. */
export function delayBetween(before: CoreFigures, after: CoreFigures, share: number): number {
  const counts = after.delays.map(({ le, count }, place) => ({
    le,
    count: count - (before.delays[place]?.count ?? 0),
  }));
  const wanted = (counts.at(-1)?.count ?? 0) * share;
  return (counts.find(({ count }) => count >= wanted)?.le ?? Number.NaN) * 1000;
}
