import { expect, test } from 'vitest';
import { type Link, type LinkEffect, type LinkEvent, startLink, stepLink } from './connection.ts';

/** Runs events through the machine and keeps what it asked for, with the time. */
function run(start: Link, events: LinkEvent[]) {
  let link = start;
  const effects: [number, LinkEffect][] = [];
  for (const event of events) {
    const step = stepLink(link, event);
    link = step.link;
    for (const effect of step.effects) effects.push([event.mono, effect]);
  }
  return { link, effects };
}
const beat = (mono: number, now = mono): LinkEvent => ({ type: 'beat', mono, now });
const tick = (mono: number): LinkEvent => ({ type: 'tick', mono });
const closed = (mono: number): LinkEvent => ({ type: 'closed', mono });
const ticks = (from: number, to: number): LinkEvent[] =>
  Array.from({ length: (to - from) / 250 + 1 }, (_, index) => tick(from + index * 250));

test('live with the first beat; lost after more than two seconds of silence, not before', () => {
  const live = run(startLink(0, 0), [beat(100), tick(2100)]);
  expect(live.link.phase).toBe('live');
  expect(run(live.link, [tick(2101)]).link).toMatchObject({ phase: 'lost', heard: 100, shows: 100 });
});

test('beats a second apart keep it live', () => {
  const events = Array.from({ length: 60 }, (_, second) => [
    beat(second * 1000),
    ...ticks(second * 1000 + 250, second * 1000 + 750),
  ]);
  expect(run(startLink(0, 0), events.flat())).toMatchObject({ link: { phase: 'live' }, effects: [] });
});

test('a closed line is tried again after 0.5, 1, 2, 3 and then every 3 seconds', () => {
  let link = run(startLink(0, 0), [beat(0)]).link;
  const waits: number[] = [];
  let now = 1000;
  for (let attempt = 0; attempt < 6; attempt += 1) {
    link = run(link, [closed(now)]).link;
    const start = now;
    for (let opened = false; !opened; ) {
      now += 250;
      const step = stepLink(link, tick(now));
      link = step.link;
      opened = step.effects.includes('open');
    }
    waits.push(now - start);
  }
  expect(waits).toEqual([500, 1000, 2000, 3000, 3000, 3000]);
});

test('a line that is open and silent is cut and opened again', () => {
  const { effects } = run(startLink(0, 0), [beat(0), ...ticks(250, 4000)]);
  expect(effects).toEqual([
    [3250, 'abort'],
    [3750, 'open'],
  ]);
});

test('an attempt that never answers is given up after three seconds', () => {
  const { effects } = run(startLink(0, 0), ticks(0, 4000));
  expect(effects.map(([, effect]) => effect)).toEqual(['abort', 'open']);
});

test('the tone comes after five seconds, then every thirty', () => {
  const { effects } = run(startLink(0, 0), [beat(0), closed(100), ...ticks(250, 70_000)]);
  const tones = effects.filter(([, effect]) => effect === 'tone').map(([at]) => at);
  expect(tones).toEqual([5250, 35_250, 65_250]);
});

test('a beat after a loss names the gap in gateway time and starts the waits anew', () => {
  const lost = run(startLink(0, 5000), [beat(0, 1_000_000), closed(100), tick(2500)]).link;
  expect(lost.phase).toBe('lost');
  const back = run(lost, [beat(30_000, 1_030_010)]).link;
  expect(back).toMatchObject({ phase: 'live', attempt: 0, gap: { from: 1_000_000, to: 1_030_010 } });
});

test('a short break inside two seconds is no loss and leaves no gap', () => {
  const { link } = run(startLink(0, 0), [beat(0), closed(500), tick(1000), beat(1400)]);
  expect(link.phase).toBe('live');
  expect(link.gap).toBeUndefined();
});
