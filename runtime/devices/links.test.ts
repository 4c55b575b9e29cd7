/** What the host makes of links that fail, one by one and all at once; the driver is driven by hand, the clock too. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LinkDriver, Sink } from '../../drivers/driver.ts';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { type Alarms, createAlarms, schema } from '../alarms/alarms.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { openEvidence } from './evidence.ts';
import { createHost, type DeviceHost } from './host.ts';
import { lineDevice } from './lines.ts';
import { loadProfiles } from './profiles.ts';
import { schema as repeatSchema } from './repeats.ts';

const BUS = 'serial:/dev/ttyS1';
const profiles = loadProfiles();
let directory: string;
let clock: ManualClock;
let journal: Journal;
let alarms: Alarms;
let host: DeviceHost;
let sink: Sink;

const driver: LinkDriver = {
  kind: 'link',
  protocol: 'modbus',
  address: Type.Object({}),
  point: Type.Object({}),
  command: Type.Object({}),
  lineOf: ({ line }) => String(line),
  identityOf: ({ line, unit }) => `${line}/${unit}`,
  open(_, context) {
    sink = context.sink;
    return {
      attach: () => {},
      detach: () => {},
      command: () => Promise.reject(new Error('no command here')),
      read: () => Promise.resolve([]),
      close: () => Promise.resolve(),
    };
  },
  decode: () => [],
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-links-'));
  clock = manualClock();
  journal = await Journal.open({ directory, clock, log: silentLog, schema: [schema, repeatSchema] });
  alarms = createAlarms({
    journal,
    clock,
    site: {
      settings: () => undefined,
      camerasOf: () => [],
      placeOf: () => undefined,
      boothOf: () => '',
      above: (device) => (device.startsWith('bus-') ? [lineDevice(BUS)] : device === 'behind' ? ['bus-1'] : []),
    },
  });
  const evidence = openEvidence(join(directory, 'evidence'));
  host = createHost({ journal, alarms, evidence, driverOf: () => driver, clock, log: silentLog });
});
afterEach(async () => {
  await host.close();
  alarms.stop();
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const PROFILE = profiles.get('generic/env-station-rtu');
const GATE = profiles.get('waveshare/relay-8ch-barrier');
function attach(id: string, line = BUS, profile = PROFILE) {
  if (!profile) throw new Error('no profile');
  const scenario = profile.scenario.split('@')[0] ?? '';
  host.attach({ id, scenario, role: profile.role, zone: 'cellar', profile, address: { line, unit: id } });
  sink.online(id);
}
/** What stands, as a guard sees it. */
const standing = () =>
  alarms
    .open()
    .map(({ device, kind, process }) => `${device} ${kind} ${process}`)
    .toSorted((a, b) => (a < b ? -1 : 1));
const settled = () => journal.append();

describe('a line that several devices share', () => {
  beforeEach(() => {
    attach('bus-1');
    attach('bus-2', BUS, GATE);
    attach('bus-3');
  });

  test('dead as a whole it is one alarm, as urgent as the most urgent device; the others are suppressed', async () => {
    for (const id of ['bus-1', 'bus-2', 'bus-3']) {
      sink.offline(id, 'no answer');
      await clock.advance(3000);
      if (id !== 'bus-3') expect(standing(), 'nobody is blamed before the others have had their say').toEqual([]);
    }
    expect(standing()).toEqual([
      'bus-1 offline SUPPRESSED',
      'bus-2 offline SUPPRESSED',
      'bus-3 offline SUPPRESSED',
      'line-serial-dev-ttys1 lineDown ACTIVE_UNACK',
    ]);
    expect(alarms.open().find(({ kind }) => kind === 'lineDown')).toMatchObject({ priority: 2, zone: 'cellar' });
    expect(alarms.floods()[0]?.alarms, 'one alarm for a person').toBe(1);
  });

  test('back again, each has its time to answer; who stays silent is told by itself', async () => {
    for (const id of ['bus-1', 'bus-2', 'bus-3']) sink.offline(id, 'no answer');
    await clock.advance(60_000);
    sink.online('bus-1');
    await clock.advance(1000);
    expect(standing()).toEqual([
      'bus-2 offline SUPPRESSED',
      'bus-3 offline SUPPRESSED',
      'line-serial-dev-ttys1 lineDown RTN_UNACK',
    ]);
    sink.online('bus-3');
    await clock.advance(30_000);
    await settled();
    expect(standing()).toEqual(['bus-2 offline ACTIVE_UNACK', 'line-serial-dev-ttys1 lineDown RTN_UNACK']);
    const told = journal.read({ kind: ['alarm'], device: 'bus-3' }).items.map(({ data }) => data);
    expect(told).toMatchObject([
      { change: 'raised', process: 'SUPPRESSED' },
      { change: 'returned', process: 'NORMAL', handling: 'closed' },
    ]);
  });

  test('one device alone is its own alarm as soon as another one speaks', async () => {
    sink.offline('bus-2', 'no answer');
    await clock.advance(1000);
    expect(standing()).toEqual([]);
    sink.readings('bus-1', [{ point: 'temperature', value: 20 }]);
    expect(standing()).toEqual(['bus-2 offline ACTIVE_UNACK']);
  });

  test('where nobody says anything it is told all the same', async () => {
    sink.offline('bus-2', 'no answer');
    await clock.advance(15_000);
    expect(standing()).toEqual(['bus-2 offline ACTIVE_UNACK']);
  });

  test('what is behind a device that is behind the line is suppressed by the line', async () => {
    attach('behind', 'tcp:10.0.0.9:502');
    for (const id of ['bus-1', 'bus-2', 'bus-3']) sink.offline(id, 'no answer');
    sink.offline('behind', 'no answer');
    expect(alarms.open().find(({ device }) => device === 'behind')).toMatchObject({
      process: 'SUPPRESSED',
      suppressedBy: alarms.open().find(({ kind }) => kind === 'lineDown')?.id,
    });
  });

  test('a line that is no more has no alarm', async () => {
    for (const id of ['bus-1', 'bus-2', 'bus-3']) sink.offline(id, 'no answer');
    await host.detach('bus-3');
    await host.detach('bus-2');
    await clock.advance(30_000);
    await settled();
    expect(standing()).toContain('line-serial-dev-ttys1 lineDown RTN_UNACK');
    expect(standing()).toContain('bus-1 offline ACTIVE_UNACK');
  });
});

describe('V6 a device that comes and goes', () => {
  const links = () => journal.read({ name: 'link', device: 'alone', limit: 500 }).items;
  const flapping = () => journal.read({ name: 'device.flapping', limit: 500 }).items;

  test('V6 beyond ten changes a minute one record a minute tells how many, and its alarm stands throughout', async () => {
    attach('alone', 'tcp:10.0.0.5:502');
    for (let n = 0; n < 120; n++) {
      sink[n % 2 === 0 ? 'offline' : 'online']('alone', 'no answer');
      await clock.advance(1000);
      if (n > 10) expect(alarms.isActive('alone', 'offline'), `after ${n} changes`).toBe(true);
    }
    await settled();
    expect(links().length).toBeLessThanOrEqual(11);
    expect(flapping()).toHaveLength(1);
    expect(flapping()[0]?.data).toMatchObject({ count: 60, state: expect.any(String) });
    expect(alarms.open()).toHaveLength(1);
  });

  test('V6 calm again, what it is now is told', async () => {
    attach('alone', 'tcp:10.0.0.5:502');
    for (let n = 0; n < 14; n++) sink[n % 2 === 0 ? 'offline' : 'online']('alone', 'no answer');
    sink.offline('alone', 'no answer');
    await clock.advance(60_000);
    await settled();
    expect(flapping()[0]?.data).toMatchObject({ count: 6, state: 'offline' });
    expect(links().at(-1)?.data).toMatchObject({ state: 'offline' });
    sink.online('alone');
    await settled();
    expect(links().at(-1)?.data).toMatchObject({ state: 'online' });
  });
});
