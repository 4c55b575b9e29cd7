/** Records, alarms and devices as the gateway sends them, for the tests of this folder. */
import type { AlarmView, DeviceView, Zone } from '../../contracts/api.ts';
import type { JournalRecord } from '../../contracts/record.ts';

let seq = 0;

/** The next record of the journal; `received` follows `seq` by a second each unless given. */
export function record(over: Partial<JournalRecord>): JournalRecord {
  seq += 1;
  return {
    gateway: 'gw',
    epoch: 1,
    seq,
    id: `r${seq}`,
    at: seq * 1000,
    received: seq * 1000,
    clock: 'synced',
    lane: 'L1',
    kind: 'event',
    scenario: 'vehicle-gate',
    device: 'gate-east-in',
    name: 'passage',
    data: {},
    quality: 'good',
    ...over,
  };
}

export const alarm = (over: Partial<AlarmView> = {}): AlarmView => ({
  id: 'a1',
  scenario: 'perimeter-guard',
  device: 'zone-east-2',
  kind: 'intrusion',
  zone: 'wall-east',
  priority: 1,
  severity: 'major',
  process: 'ACTIVE_UNACK',
  handling: 'waiting',
  raisedAt: 1000,
  changedAt: 1000,
  count: 1,
  latching: false,
  ...over,
});

export const alarmRecord = (view: AlarmView, change: string, over: Partial<JournalRecord> = {}): JournalRecord =>
  record({
    kind: 'alarm',
    scenario: view.scenario,
    device: view.device,
    name: view.kind,
    data: { ...view, alarm: view.id, change },
    ...over,
  });

export const device = (over: Partial<DeviceView> = {}): DeviceView => ({
  id: 'gate-east-in',
  name: 'Gate',
  scenario: 'vehicle-gate',
  role: 'barrier',
  zone: 'east-in',
  profile: 'waveshare/relay-8ch-barrier',
  cameras: [],
  settings: {},
  link: { state: 'online', since: 0 },
  points: { barrierState: point('closed'), loopOccupied: point(false) },
  commands: ['open', 'close', 'lockOpen', 'endHold'],
  ...over,
});

export const point = (value: string | number | boolean): DeviceView['points'][string] => ({
  value,
  at: 0,
  received: 0,
  quality: 'good',
});

export const zone = (id: string): Zone => ({ id, name: id, kind: 'lane' });

/** One state of a command, as the journal tells it. */
export const commandRecord = (
  id: string,
  name: string,
  state: string,
  more: Record<string, unknown> = {},
  actor = 'user:guard',
): JournalRecord =>
  record({ kind: 'command', lane: 'L0', name, actor, data: { id, command: id, name, state, actor, ...more } });
