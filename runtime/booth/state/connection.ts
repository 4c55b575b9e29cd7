/**
 * The line between this screen and the gateway, as a pure machine: it is told what happened and when (monotonic ms,
 * and the gateway's own time on each beat) and answers with what to do. ux.md 8: more than 2 s of silence is a loss.
 */
import type { Gap } from './alarms.ts';

export interface Link {
  readonly phase: 'starting' | 'live' | 'lost';
  /** Monotonic time of the last sign of life. */
  readonly heard: number;
  /** Gateway time of the last sign of life: what the picture on the screen shows. */
  readonly shows: number;
  /** Failed or ended attempts since the last beat. */
  readonly attempt: number;
  readonly retryAt?: number;
  readonly openedAt?: number;
  /** Monotonic time of the last warning tone of this loss. */
  readonly toned?: number;
  /** The last stretch of silence, once it is over. */
  readonly gap?: Gap;
}

export type LinkEvent =
  | { readonly type: 'beat'; readonly mono: number; readonly now: number }
  | { readonly type: 'closed'; readonly mono: number }
  | { readonly type: 'tick'; readonly mono: number };

export type LinkEffect = 'open' | 'abort' | 'tone';

const SILENCE_MS = 2000;
const OPEN_WITHIN_MS = 3000;
const TONE_AFTER_MS = 5000;
const TONE_EVERY_MS = 30_000;
const RETRY_MS = [500, 1000, 2000, 3000];

export const startLink = (mono: number, now: number): Link => ({
  phase: 'starting',
  heard: mono,
  shows: now,
  attempt: 0,
  openedAt: mono,
});

export function stepLink(link: Link, event: LinkEvent): { link: Link; effects: LinkEffect[] } {
  if (event.type === 'beat') return { link: heard(link, event.mono, event.now), effects: [] };
  if (event.type === 'closed') return { link: closed(link, event.mono), effects: [] };
  return ticked(link, event.mono);
}

function heard(link: Link, mono: number, now: number): Link {
  const { retryAt: _, toned: __, ...rest } = link;
  const next: Link = { ...rest, phase: 'live', heard: mono, shows: now, attempt: 0 };
  return link.phase === 'lost' ? { ...next, gap: { from: link.shows, to: now } } : next;
}

function closed(link: Link, mono: number): Link {
  const { openedAt: _, ...rest } = link;
  const wait = RETRY_MS[Math.min(link.attempt, RETRY_MS.length - 1)] ?? 0;
  return { ...rest, attempt: link.attempt + 1, retryAt: mono + wait };
}

function ticked(was: Link, mono: number): { link: Link; effects: LinkEffect[] } {
  let link = was;
  const effects: LinkEffect[] = [];
  const silent = mono - link.heard;
  if (link.phase === 'live' && silent > SILENCE_MS) link = { ...link, phase: 'lost' };
  // A line that is open but says nothing is worth no more than a closed one.
  const since = link.openedAt === undefined ? undefined : Math.max(link.openedAt, link.heard);
  if (since !== undefined && mono - since > OPEN_WITHIN_MS) {
    effects.push('abort');
    link = closed(link, mono);
  }
  if (link.retryAt !== undefined && mono >= link.retryAt) {
    const { retryAt: _, ...rest } = link;
    link = { ...rest, openedAt: mono };
    effects.push('open');
  }
  if (link.phase === 'lost' && silent > TONE_AFTER_MS && mono - (link.toned ?? -Infinity) >= TONE_EVERY_MS) {
    link = { ...link, toned: mono };
    effects.push('tone');
  }
  return { link, effects };
}
