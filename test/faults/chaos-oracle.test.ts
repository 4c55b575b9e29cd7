/** The oracle of the chaos trial against lives written by hand: what is well passes, each thing that is wrong is found. */
import { describe, expect, test } from 'vitest';
import type { JournalRecord } from '../../runtime/contracts/record.ts';
import { checkAlarms, checkEscalation, ESCALATES_MS } from './chaos-alarms.ts';
import { checkAnswers, checkDone, checkEnds, checkTimes, coursesOf } from './chaos-commands.ts';
import { checkHolds } from './chaos-holds.ts';
import { checkLinkages } from './chaos-linkages.ts';
import type { Ask, DeviceLog, Evidence } from './chaos-log.ts';
import { checkFollowed, checkSequence } from './chaos-records.ts';

const ZONE = 'zone-1';
const DOOR = 'door-1';
const LATER = 1_000_000;

interface Life {
  readonly records?: readonly Partial<JournalRecord>[];
  readonly log?: Partial<DeviceLog>;
  readonly asks?: readonly Ask[];
  readonly disturbances?: Evidence['disturbances'];
}

/** `received` is the monotonic time here. */
function evidenceOf({ records = [], log = {}, asks = [], disturbances = [] }: Life): Evidence {
  const board = { id: DOOR, profile: 'generic/relay-door', zone: 'house' };
  return {
    records: records.map(
      (record, index) => ({ epoch: 1, seq: index + 1, id: `r-${index}`, ...record }) as JournalRecord,
    ),
    whenOf: ({ received }) => received,
    asks,
    log: {
      ...{ done: [], truths: [], occurrences: [], samples: [], seen: [], answered: [], lags: [], passed: 0 },
      ...log,
    },
    disturbances,
    layout: {
      ...{ gates: [], zones: [ZONE], smokes: [], lines: [], carsMs: 0, plates: [], sampleMs: 0, changeMs: 0 },
      boards: [board, { id: 'panel', profile: 'generic/di-fire-panel', zone: 'house' }],
    },
    quietAt: LATER,
    endedAt: LATER,
  };
}

const told = (at: number, id: string, state: string, more: object = {}): Partial<JournalRecord> => ({
  ...{ received: at, kind: 'command', scenario: 'perimeter-guard', device: ZONE, name: 'arm' },
  data: { command: id, id, device: ZONE, input: {}, state, actor: 'user:guard', ...more },
});
const whole = (id: string, at: number, state = 'succeeded', more: object = {}) => [
  told(at, id, 'accepted'),
  told(at, id, 'executing'),
  told(at + 100, id, state, more),
];
const armed = (at: number) => ({ at, device: ZONE, output: '5:0:1' });
const down = (from: number, to: number) => [{ kind: 'core killed', from, to }];

function checkCommands(life: Life): void {
  const evidence = evidenceOf(life);
  const courses = coursesOf(evidence);
  checkAnswers(evidence, courses);
  checkTimes(evidence, courses);
  checkDone(evidence, courses);
  checkEnds(evidence, courses);
}

describe('a command', () => {
  test('that was carried out once, in time, and says so is well', () => {
    checkCommands({ records: whole('a', 1000), log: { done: [armed(1010)] } });
    checkCommands({ records: whole('a', 1000, 'expired', { code: 'command.expired' }) });
  });

  test.each<[string, RegExp, Life]>([
    ['carried out twice', /C4.*once more/, { records: whole('a', 1000), log: { done: [armed(1010), armed(1500)] } }],
    ['carried out late', /C2.*once more/, { records: whole('a', 1000), log: { done: [armed(9000)] } }],
    ['told succeeded and never carried out', /C6.*never carried out/, { records: whole('a', 1000) }],
    [
      'told failed and carried out',
      /C4.*driver.closed/,
      { records: whole('a', 1000, 'failed', { code: 'driver.closed' }), log: { done: [armed(1010)] } },
    ],
    [
      'told unknown though nothing was wrong',
      /C6.*nothing was wrong/,
      { records: whole('a', 1000, 'unknown', { code: 'driver.timeout' }), log: { done: [armed(1010)] } },
    ],
    ['without an end', /C3.*accepted, executing/, { records: whole('a', 1000).slice(0, 2) }],
    [
      'with two ends',
      /C3/,
      { records: [...whole('a', 1000), told(1200, 'a', 'failed')], log: { done: [armed(1010)] } },
    ],
    [
      'whose end comes long after its deadline',
      /C5.*after its deadline/,
      { records: [...whole('a', 1000).slice(0, 2), told(20_000, 'a', 'succeeded')], log: { done: [armed(1010)] } },
    ],
  ])('%s is found', (_name, message, life) => {
    expect(() => checkCommands(life)).toThrow(message);
  });

  test('unknown is no fault where the core died', () => {
    const records = whole('a', 1000, 'unknown', { code: 'driver.closed' });
    checkCommands({ records, log: { done: [armed(1010)] }, disturbances: down(1050, 4000) });
  });

  test('C1 one key with two commands, and one that nobody asked for, are found', () => {
    const ask = (ids: string[]): Ask => ({
      ...{ actor: 'user:guard', key: 'k', device: ZONE, command: 'arm' },
      tries: ids.map((id) => ({ sentAt: 990, answeredAt: 1000, status: 202, id, state: 'accepted' })),
    });
    const records = [...whole('a', 1000), ...whole('b', 3000)];
    const log = { done: [armed(1010), armed(3010)] };
    expect(() => checkCommands({ records, log, asks: [ask(['a', 'b'])] })).toThrow(/C1.*a and b/);
    expect(() => checkCommands({ records, log, asks: [ask(['a'])] })).toThrow(/C1.*1 commands more/);
    expect(() => checkCommands({ asks: [ask(['a'])] })).toThrow(/C3.*in no record/);
  });
});

describe('an alarm', () => {
  const change = (at: number, what: string, more: object = {}): Partial<JournalRecord> => ({
    ...{ received: at, kind: 'alarm', scenario: 'perimeter-guard', device: ZONE, name: 'intrusion' },
    data: { alarm: 'i', change: what, process: 'ACTIVE_UNACK', handling: 'waiting', priority: 1, ...more },
  });
  const intrusion = (on: number, off: number) => ({ device: ZONE, alarm: 'intrusion', on, off });
  const check = (life: Life) => checkAlarms(evidenceOf(life));

  test('of what was so, once, is well', () => {
    const records = [change(1100, 'raised'), change(6100, 'returned')];
    expect(check({ records, log: { occurrences: [intrusion(1000, 6000)] } })).toMatchObject({ raised: 1 });
  });

  test.each<[string, RegExp, Life]>([
    ['that never came', /never became an alarm/, { log: { occurrences: [intrusion(1000, 9000)] } }],
    [
      'of nothing',
      /had never been so/,
      { records: [change(500, 'raised')], log: { occurrences: [intrusion(1000, 6000)] } },
    ],
    [
      'that came twice',
      /2 times/,
      { records: [change(1100, 'raised'), change(1200, 'repeated')], log: { occurrences: [intrusion(1000, 6000)] } },
    ],
    [
      'that came late',
      /later than it had to/,
      { records: [change(8000, 'raised')], log: { occurrences: [intrusion(1000, 9000)] } },
    ],
    [
      'that never ends',
      /still told/,
      { records: [change(1100, 'raised')], log: { occurrences: [intrusion(1000, 6000)] } },
    ],
    ['put aside', /SHELVED/, { records: [change(1100, 'shelved', { process: 'SHELVED' })] }],
  ])('%s is found', (_name, message, life) => {
    expect(() => check(life)).toThrow(message);
  });

  test('of a message that was acknowledged comes, though the core died right then', () => {
    const occurrences = [{ ...intrusion(1000, 6000), acked: 1100 }];
    expect(() => check({ log: { occurrences }, disturbances: down(1110, 9000) })).toThrow(/never became/);
  });

  test('nobody answers is told further, in time', () => {
    const told = [change(1000, 'raised'), change(1000 + ESCALATES_MS, 'escalated')];
    expect(checkEscalation(evidenceOf({ records: told }))).toBe(1);
    expect(() => checkEscalation(evidenceOf({ records: told.slice(0, 1) }))).toThrow(/nobody answered/);
    const early = [change(1000, 'raised'), change(2000, 'escalated')];
    expect(() => checkEscalation(evidenceOf({ records: early }))).toThrow(/too early/);
  });
});

describe('a hold and a fire', () => {
  const truth = (at: number, device: string, point: string, value: string | boolean) => ({ at, device, point, value });

  test('F1 a hold that outlasts its lease, a restart or the gateway is found', () => {
    const held = (to: number) => ({ truths: [truth(1000, DOOR, 'held', true), truth(to, DOOR, 'held', false)] });
    expect(checkHolds(evidenceOf({ log: held(60_000) }), [0])).toBe(1);
    expect(() => checkHolds(evidenceOf({ log: held(90_000) }), [0])).toThrow(/F1.*longer/);
    expect(() => checkHolds(evidenceOf({ log: held(60_000) }), [0, 20_000])).toThrow(/F1.*longer/);
    const kept = { truths: [truth(1000, DOOR, 'held', true)] };
    expect(() => checkHolds(evidenceOf({ log: kept }), [0])).toThrow(/V8/);
  });

  test('F7 a door that a fire releases late, never, or not until the reset is found', () => {
    const occurrences = [{ device: 'panel', alarm: 'fire', on: 10_000, off: 40_000 }];
    const lock = (...times: [number, string][]) => ({
      occurrences,
      truths: times.map(([at, value]) => truth(at, DOOR, 'lockState', value)),
    });
    const well = checkLinkages(evidenceOf({ log: lock([0, 'locked'], [10_400, 'released']) }));
    expect(well).toMatchObject({ fires: 1, waits: [400] });
    const look =
      (...times: [number, string][]) =>
      () =>
        checkLinkages(evidenceOf({ log: lock(...times) }));
    expect(look([0, 'locked'])).toThrow(/F7/);
    expect(look([0, 'locked'], [14_000, 'released'])).toThrow(/F7.*too late/);
    expect(look([0, 'locked'], [10_400, 'released'], [50_000, 'locked'])).toThrow(/F1.*before the reset/);
  });
});

test('R3 a hole in the sequence, and one in what a booth was told, are found', () => {
  const { records } = evidenceOf({ records: [{}, {}, {}] });
  checkSequence(records);
  expect(() => checkSequence(records.filter(({ seq }) => seq !== 2))).toThrow(/R3.*1:3 follows 1:1/);
  expect(() => checkFollowed(records, ['1:1', '1:3'], () => true, 'the booth')).toThrow(/never told of 1:2/);
});
