import { describe, expect, test } from 'vitest';
import type { AlarmView } from '../contracts/api.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { forced, guard, heldOpen, installer, leader, offline, openAlarms, smoke } from './alarms.fixture.ts';
import { createAlarmReports } from './report.ts';
import { createTally } from './statistics.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const T0 = Date.UTC(2026, 10, 1);

/** A record of an alarm as the journal has it, with what the statistics look at. */
function record(at: number, change: string, view: Partial<AlarmView>, more: object = {}): JournalRecord {
  const full = {
    id: 'a',
    process: 'ACTIVE_UNACK',
    priority: 3,
    zone: '',
    device: 'd',
    kind: 'k',
    scenario: 's',
    raisedAt: at,
  };
  return {
    received: at,
    kind: 'alarm',
    data: { ...full, count: 1, ...view, change, ...more },
  } as unknown as JournalRecord;
}
const query = { from: T0, to: T0 + 10 * HOUR, booths: { '': '' } };

describe('counted from records', () => {
  test('rate, worst ten minutes, worst hour and the time in flood', () => {
    const tally = createTally(query);
    // Twelve at one a minute from 1:00: a flood from the eleventh, at 1:10 - until fewer than five are left in ten minutes.
    for (let n = 0; n < 12; n++) tally.add(record(T0 + HOUR + n * 50 * SECOND, 'raised', { id: `${n}` }));
    tally.add(record(T0 + 5 * HOUR, 'raised', { id: 'late' }));
    const { booths, alarms } = tally.result([]);
    expect(alarms).toBe(13);
    // It began with the eleventh, at 500 s, and ended when the eighth, at 350 s, was ten minutes ago: four were left.
    expect(booths).toEqual([
      {
        booth: '',
        alarms: 13,
        perHour: 1.3,
        peakHour: { alarms: 12, until: T0 + HOUR + 550 * SECOND },
        peakTenMinutes: { alarms: 12, until: T0 + HOUR + 550 * SECOND },
        floodSeconds: 350 + 600 - 500,
        floodShare: 0.0125,
      },
    ]);
  });

  test('what is suppressed, shelved or under repair asked nobody', () => {
    const tally = createTally(query);
    tally.add(record(T0 + 1, 'raised', { process: 'SUPPRESSED' }));
    tally.add(record(T0 + 2, 'repeated', { process: 'SHELVED' }));
    tally.add(record(T0 + 3, 'repeated', { process: 'OUT_OF_SERVICE' }));
    expect(tally.result([]).alarms).toBe(0);
    tally.add(record(T0 + 4, 'unsuppressed', { process: 'ACTIVE_UNACK' }));
    expect(tally.result([]).alarms).toBe(1);
  });

  test('times to answer by priority and by person, and the shares against what is aimed at', () => {
    const tally = createTally(query);
    for (let n = 1; n <= 100; n++) {
      const view = {
        id: `${n}`,
        priority: n <= 10 ? 1 : 3,
        ackedBy: n % 2 ? 'user:li' : 'user:wang',
        answerMs: n * SECOND,
      };
      tally.add(record(T0 + n * MINUTE, 'raised', view));
      tally.add(record(T0 + n * MINUTE + n * SECOND, 'acked', { ...view, process: 'ACTIVE_ACK' }));
    }
    const { priorities, operators } = tally.result([]);
    expect(priorities[0]).toMatchObject({
      alarms: 10,
      share: 0.1,
      most: 0.05,
      answered: 10,
      p50Ms: 5000,
      p99Ms: 10_000,
      late: 0,
    });
    expect(priorities[2]).toMatchObject({ alarms: 90, answered: 90, p50Ms: 55_000, p90Ms: 91_000, p99Ms: 100_000 });
    expect(operators.map(({ operator, answered }) => [operator, answered])).toEqual([
      ['user:li', 50],
      ['user:wang', 50],
    ]);
  });

  test('the five worst sources, and what stands for more than a day', () => {
    const day = { from: T0, to: T0 + 48 * HOUR, booths: {} };
    const tally = createTally(day);
    for (let source = 1; source <= 6; source++)
      for (let n = 0; n < source; n++)
        tally.add(record(T0 + n, 'raised', { id: `${source} ${n}`, device: `d${source}` }));
    tally.add(record(T0 + 40 * HOUR, 'repeated', { id: '6 0', device: 'd6' }));
    tally.add(record(T0 + 2, 'returned', { id: '5 0', device: 'd5', process: 'RTN_UNACK', returnedAt: T0 + 2 }));
    const old = { id: 'old', process: 'ACTIVE_ACK', device: 'd9', priority: 2, raisedAt: T0 - HOUR } as AlarmView;
    const ended = { ...old, id: 'ended', process: 'NORMAL', returnedAt: T0 + HOUR } as AlarmView;
    const { worst, standing } = tally.result([old, ended]);
    expect(worst.map(({ device, alarms }) => [device, alarms])).toEqual([
      ['d6', 7],
      ['d5', 5],
      ['d4', 4],
      ['d3', 3],
      ['d2', 2],
    ]);
    const ids = standing.map(({ alarm }) => alarm);
    expect(ids[0]).toBe('old');
    for (const gone of ['6 0', '5 0', 'ended']) expect(ids).not.toContain(gone);
    expect(ids).toHaveLength(1 + 21 - 2);
  });
});

test('from the journal itself, and the same after a restart', async () => {
  await using rig = await openAlarms();
  const from = rig.clock.now();
  const step = (ms: number) => rig.clock.advance(ms).then(() => rig.settled());
  const { id } = await rig.alarms.raise(smoke);
  await step(61 * SECOND);
  await rig.alarms.act(id, 'ack', {}, guard);
  await rig.alarms.act(id, 'resolve', { disposition: 'false', note: '油烟' }, guard);
  const gate = await rig.alarms.raise(forced);
  await step(MINUTE);
  await rig.alarms.act(gate.id, 'shelve', { note: '施工', minutes: 30 }, leader);
  const repair = await rig.alarms.raise(offline('gate-9'));
  await rig.alarms.act(repair.id, 'out-of-service', { ticket: 'W-1' }, installer);
  for (let n = 0; n < 4; n++) {
    await rig.alarms.raise(heldOpen);
    await step(SECOND);
    await rig.clear(heldOpen);
  }
  const report = () =>
    createAlarmReports(rig.journal).make(
      { from, to: rig.clock.now(), booths: rig.alarms.booths([{ id: 'east-in' }]) },
      rig.alarms.open(),
    );
  const before = await report();
  expect(before).toMatchObject({
    alarms: 6,
    priorities: [
      { priority: 1, alarms: 1, answered: 1, p50Ms: 61_000, late: 1, escalated: 1 },
      { priority: 2, alarms: 2 },
      { priority: 3, alarms: 3 },
      { priority: 4, alarms: 0 },
    ],
    escalations: [{ priority: 1, level: 1, steps: 1 }],
    operators: [{ operator: 'user:demo-guard', answered: 1 }],
    dispositions: { false: 1, real: 0 },
    chattering: [{ device: 'gate-east-in', kind: 'heldOpen', comings: 3 }],
    shelved: [{ alarm: gate.id, by: 'user:demo-leader', reason: '施工' }],
    outOfService: [{ alarm: repair.id, reason: 'W-1' }],
  });
  await rig.restart();
  expect(await report()).toEqual(before);
});
