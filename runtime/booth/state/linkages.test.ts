import { expect, test } from 'vitest';
import { record } from './fixture.ts';
import { foldLinkages, phaseOfOutput } from './linkages.ts';

const said = (name: string, data: object, received = 1) =>
  record({
    scenario: 'gateway',
    device: '',
    name: `linkage.${name}`,
    data: { linkage: 'L02', zone: 'compound', place: 'compound', ...data },
    received,
  });
const fire = said(
  'started',
  {
    sources: [{ device: 'fire-panel', alarm: 'fire' }],
    outputs: [
      { device: 'gate', command: 'lockOpen' },
      { device: 'door', command: 'release' },
    ],
  },
  5000,
);

test('a linkage is at work from its start to its end, and every output says how far it has come', () => {
  const running = foldLinkages(new Map(), [
    fire,
    said('output', { device: 'gate', command: 'lockOpen', state: 'succeeded' }),
    said('output', { device: 'door', command: 'release', state: 'unknown', detail: 'no answer' }),
    said('output', { device: 'valve', point: 'valveClosed', state: 'executing' }),
  ]);
  const [fireRun] = running.values();
  expect(fireRun).toMatchObject({ linkage: 'L02', place: 'compound', since: 5000 });
  expect(fireRun?.outputs.map((output) => [output.device, phaseOfOutput(output)])).toEqual([
    ['gate', 'done'],
    ['door', 'failed'],
    ['valve', 'unconfirmed'],
  ]);
  expect(foldLinkages(running, [record({})])).toBe(running);
  expect(foldLinkages(running, [said('ended', { reason: 'reset', lastedMs: 60_000 })]).size).toBe(0);
});

test('what has not begun is not confirmed, and what is tried again is told anew', () => {
  const started = foldLinkages(new Map(), [fire]);
  expect([...started.values()][0]?.outputs.map(phaseOfOutput)).toEqual(['unconfirmed', 'unconfirmed']);
  const again = foldLinkages(started, [
    said('output', { device: 'door', command: 'release', state: 'failed' }),
    said('output', { device: 'door', command: 'release', state: 'succeeded' }),
  ]);
  expect([...again.values()][0]?.outputs.map(phaseOfOutput)).toEqual(['unconfirmed', 'done']);
});

test('two places of one linkage run beside each other', () => {
  const book = foldLinkages(new Map(), [said('started', { place: 'b1' }), said('started', { place: 'b2' })]);
  expect(foldLinkages(book, [said('ended', { place: 'b1' })]).size).toBe(1);
});
