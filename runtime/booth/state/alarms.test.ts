import { expect, test } from 'vitest';
import {
  alarmCounts,
  alarmRows,
  alarmsFrom,
  asideCounts,
  foldAlarms,
  isUndisposed,
  noAlarms,
  processOf,
  risen,
} from './alarms.ts';
import { alarm, alarmRecord, record } from './fixture.ts';

test('an alarm raised on the stream is on the list, a closed one leaves it', () => {
  const raised = foldAlarms(noAlarms, [alarmRecord(alarm(), 'raised')]);
  expect(alarmRows(raised, 'all', '').map((row) => row.id)).toEqual(['a1']);
  const closed = foldAlarms(raised, [alarmRecord(alarm({ process: 'NORMAL', handling: 'closed' }), 'resolved')]);
  expect(alarmRows(closed, 'all', '')).toEqual([]);
});

test('gone but not dealt with stays on the list', () => {
  const book = foldAlarms(noAlarms, [alarmRecord(alarm({ process: 'NORMAL', handling: 'acked' }), 'returned')]);
  expect(alarmRows(book, 'all', '')).toHaveLength(1);
});

test('records the snapshot already holds change nothing', () => {
  const old = alarmRecord(alarm(), 'raised');
  const acked = alarm({ process: 'ACTIVE_ACK', handling: 'acked', ackedBy: 'user:wang' });
  const book = alarmsFrom([acked], `${old.epoch}:${old.seq}`);
  expect(foldAlarms(book, [old])).toBe(book);
});

test('the same book comes back when no record is about alarms', () => {
  expect(foldAlarms(noAlarms, [record({ kind: 'telemetry', name: 'barrierState', data: 'open' })])).toBe(noAlarms);
});

test('raised while the line was down is marked so, before and after is not', () => {
  const gap = { from: 10_000, to: 20_000 };
  const book = foldAlarms(
    noAlarms,
    [
      alarmRecord(alarm({ id: 'before' }), 'raised', { received: 10_000 }),
      alarmRecord(alarm({ id: 'inside' }), 'raised', { received: 15_000 }),
      alarmRecord(alarm({ id: 'acked' }), 'acked', { received: 15_500 }),
      alarmRecord(alarm({ id: 'after' }), 'raised', { received: 20_001 }),
    ],
    gap,
  );
  expect([...book.missed]).toEqual(['inside']);
});

test('new alarms and answered ones that come again begin to wait; an old one does not', () => {
  const before = alarmsFrom([alarm({ id: 'old' }), alarm({ id: 'answered', process: 'ACTIVE_ACK' })], '1:0');
  const after = foldAlarms(before, [
    alarmRecord(alarm({ id: 'answered', count: 2 }), 'repeated'),
    alarmRecord(alarm({ id: 'new' }), 'raised'),
    alarmRecord(alarm({ id: 'old', count: 2 }), 'repeated'),
  ]);
  expect(risen(before, after).map(({ id }) => id)).toEqual(['answered', 'new']);
});

test('the list goes by priority, then unanswered, then newest', () => {
  const book = alarmsFrom(
    [
      alarm({ id: 'p3', priority: 3, raisedAt: 9 }),
      alarm({ id: 'p1-acked', process: 'ACTIVE_ACK', raisedAt: 8 }),
      alarm({ id: 'p1-old', raisedAt: 1 }),
      alarm({ id: 'p1-new', raisedAt: 2 }),
    ],
    '1:0',
  );
  expect(alarmRows(book, 'all', '').map((row) => row.id)).toEqual(['p1-new', 'p1-old', 'p1-acked', 'p3']);
});

test('filters: security, equipment, mine, set aside, one priority', () => {
  const book = alarmsFrom(
    [
      alarm({ id: 'intrusion' }),
      alarm({ id: 'offline', kind: 'offline', priority: 2 }),
      alarm({ id: 'fault', kind: 'barrierFault', priority: 2, ackedBy: 'user:wang', process: 'ACTIVE_ACK' }),
      alarm({ id: 'uplink', scenario: 'gateway', kind: 'uplinkOffline', priority: 3 }),
      alarm({ id: 'shelved', process: 'SHELVED', priority: 3 }),
      alarm({ id: 'child', process: 'SUPPRESSED', priority: 3 }),
      alarm({ id: 'off', process: 'OUT_OF_SERVICE', priority: 2 }),
    ],
    '1:0',
  );
  const ids = (filter: Parameters<typeof alarmRows>[1]) => alarmRows(book, filter, 'wang').map((row) => row.id);
  expect(ids('security')).toEqual(['intrusion']);
  expect(ids('device')).toEqual(['offline', 'fault', 'uplink']);
  expect(ids('mine')).toEqual(['fault']);
  expect(ids('shelved')).toEqual(['shelved']);
  expect(ids('suppressed')).toEqual(['child']);
  expect(ids('out-of-service')).toEqual(['off']);
  expect(asideCounts(book)).toEqual({ shelved: 1, suppressed: 1, 'out-of-service': 1 });
  expect(ids(3)).toEqual(['uplink']);
});

test('counts leave out what is set aside and know what still waits', () => {
  const book = alarmsFrom(
    [
      alarm({ id: '1' }),
      alarm({ id: '2', priority: 2, process: 'ACTIVE_ACK' }),
      alarm({ id: '3', priority: 3, process: 'SHELVED' }),
    ],
    '1:0',
  );
  expect(alarmCounts(book)).toEqual([
    { count: 1, unacked: true },
    { count: 1, unacked: false },
    { count: 0, unacked: false },
    { count: 0, unacked: false },
  ]);
});

test('P1 and P2 need a disposition before the shift ends, once they are answered; P3 does not', () => {
  const answered = { process: 'ACTIVE_ACK', handling: 'acked' } as const;
  expect(isUndisposed(alarm(answered))).toBe(true);
  expect(isUndisposed(alarm({ ...answered, priority: 2 }))).toBe(true);
  expect(isUndisposed(alarm({ ...answered, priority: 3 }))).toBe(false);
  expect(isUndisposed(alarm({ ...answered, disposition: 'false' }))).toBe(false);
  expect(isUndisposed(alarm())).toBe(false);
});

test('the state of the condition is told apart: still there, gone, gone and latched, set aside', () => {
  expect(processOf(alarm())).toBe('active');
  expect(processOf(alarm({ process: 'RTN_UNACK', returnedAt: 5 }))).toBe('returned');
  expect(processOf(alarm({ process: 'ACTIVE_ACK', returnedAt: 5, latching: true }))).toBe('latched');
  expect(processOf(alarm({ process: 'NORMAL', handling: 'resolved', returnedAt: 5, latching: true }))).toBe('returned');
  expect(processOf(alarm({ process: 'SUPPRESSED' }))).toBe('suppressed');
});
