const QUARTER_MS = 900_000;
/** Nearer than this it is over before anybody has used it. */
const AT_LEAST_MS = 120_000;

/** The next full quarter-hours that a hold may last until. Zones lie whole quarters apart from UTC. */
export function quarters(now: number, longestMs: number): number[] {
  const first = Math.ceil((now + AT_LEAST_MS) / QUARTER_MS) * QUARTER_MS;
  return [first, first + QUARTER_MS].filter((until) => until - now <= longestMs);
}
