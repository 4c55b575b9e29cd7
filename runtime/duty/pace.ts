/** How much one actor may add in a minute: a flow in a loop must not fill the screens of people (reliability.md N9). */
import type { Clock } from '../clock.ts';

const MINUTE_MS = 60_000;

/** @returns asked before something is added; false: too much in the last minute, and this one is not counted */
export function createPace(clock: Clock, perMinute: number): (actor: string) => boolean {
  const times = new Map<string, number[]>();
  return (actor) => {
    const since = clock.mono() - MINUTE_MS;
    const recent = (times.get(actor) ?? []).filter((at) => at > since);
    const admitted = recent.length < perMinute;
    if (admitted) recent.push(clock.mono());
    times.set(actor, recent);
    // Actors are tabs: those that have gone quiet are forgotten.
    for (const [other, [first]] of times) if (first === undefined || first <= since) times.delete(other);
    return admitted;
  };
}
