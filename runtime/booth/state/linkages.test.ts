import { expect, test } from 'vitest';
import { record } from './fixture.ts';
import { foldLinkages, linkageForbids, linkagesFrom, phaseOfOutput } from './linkages.ts';

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

test('after a reload what is at work is known from the gateway, and only what was proved is done', () => {
  const words = { zh: 'x', en: 'x' };
  const place = {
    ...{ id: 'compound', zone: 'compound', sources: [], watches: [], warnings: [] },
    outputs: [
      { device: 'gate', command: 'lockOpen', link: 'online' as const, done: true },
      { device: 'door', command: 'release', link: 'offline' as const, done: false },
    ],
  };
  const view = (state: 'active' | 'ready') => ({
    ...{ id: 'L02', words, about: words, state },
    places: [{ ...place, state, since: 5, triggeredBy: [{ device: 'fire-panel', alarm: 'fire' }] }],
  });
  const [run] = linkagesFrom([view('active')]).values();
  expect(run).toMatchObject({ linkage: 'L02', since: 5, sources: [{ device: 'fire-panel' }] });
  expect(run?.outputs.map(phaseOfOutput)).toEqual(['done', 'unconfirmed']);
  expect(linkagesFrom([view('ready')]).size).toBe(0);
});

test('what a linkage at work forbids is known for the devices it reaches, and for no others', () => {
  const running = foldLinkages(new Map(), [fire]);
  const gate = { id: 'gate', scenario: 'vehicle-gate' };
  expect(linkageForbids(running, gate, 'close')?.id).toBe('L02');
  expect(linkageForbids(running, gate, 'open')).toBeUndefined();
  expect(linkageForbids(running, { ...gate, id: 'other' }, 'close')).toBeUndefined();
  expect(linkageForbids(new Map(), gate, 'close')).toBeUndefined();
});
