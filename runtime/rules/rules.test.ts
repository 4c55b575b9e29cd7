import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { type Alarms, schema as alarmSchema, createAlarms } from '../alarms/alarms.ts';
import type { Scalar, SiteView } from '../contracts/contract.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import { Journal, type Unit } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { judge } from './conditions.ts';
import { createRules, type Rules, schema } from './rules.ts';

let directory: string;
let clock: ManualClock;
let journal: Journal;
let alarms: Alarms;
let rules: Rules;
const settings: Record<string, Scalar> = {};
const devices = [
  { id: 'gate-east-in', scenario: 'vehicle-gate', role: 'barrier', zone: 'east-in', settings: {} },
  { id: 'camera-east-in', scenario: 'vehicle-gate', role: 'camera', zone: 'east-in', settings: {} },
  { id: 'station', scenario: 'environment-monitoring', role: 'station', zone: 'garden', settings },
  { id: 'smoke-1', scenario: 'smoke-alarm', role: 'detector', zone: 'b3-1', settings: {} },
];
const site: SiteView = {
  device: (id) => devices.find((device) => device.id === id),
  inZone: (zone, scenario) => devices.filter((device) => device.zone === zone && device.scenario === scenario),
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-rules-'));
  clock = manualClock();
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(directory, { recursive: true, force: true });
  for (const key of Object.keys(settings)) delete settings[key];
});
async function start() {
  journal = await Journal.open({ directory, clock, log: silentLog, schema: [alarmSchema, schema] });
  alarms = createAlarms({ journal, clock });
  rules = createRules({ journal, alarms, site, clock, log: silentLog });
  await rules.start();
}
async function stop() {
  rules.stop();
  alarms.stop();
  await journal[Symbol.asyncDispose]();
}

/** Appends and waits until everything that follows from it is committed too. */
async function happens(...drafts: Draft[]) {
  await journal.append(...drafts);
  await journal.append();
}
const point = (device: string, name: string, data: Scalar): Draft => ({
  lane: 'L2',
  kind: 'telemetry',
  scenario: site.device(device)?.scenario ?? '',
  device,
  name,
  data,
});
const plateRead = (plate: string, stored = false): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'camera-east-in',
  name: 'plate.read',
  data: { plate, trigger: 'video', stored },
});
const opening = (actor = 'user:demo-guard'): Draft => ({
  lane: 'L0',
  kind: 'command',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'open',
  data: { command: 'c-1', state: 'executing', input: {} },
  actor,
});
const gate = (name: string, data: Scalar) => point('gate-east-in', name, data);
const passages = () => journal.read({ kind: ['event'], name: 'passage' }).items;
const active = () => alarms.open().map((view) => `${view.device} ${view.kind} ${view.process}`);

describe('conditions', () => {
  test('hysteresis: on above the limit, off below the lower one, between them as it was', () => {
    const pm25 = { point: 'pm25', above: 75, clearAt: 70 };
    expect([76, 75, 72, 70, 69].map((value) => judge(pm25, value))).toEqual(['on', 'hold', 'hold', 'hold', 'off']);
    expect([101, 99, 94].map((value) => judge(pm25, value, 100))).toEqual(['on', 'hold', 'off']);
    const battery = { point: 'battery', below: 15, clearAt: 20 };
    expect([14, 15, 18, 21].map((value) => judge(battery, value))).toEqual(['on', 'hold', 'hold', 'off']);
  });

  test('smoke raises at once, and its end clears', async () => {
    await happens(point('smoke-1', 'smokeDetected', true));
    expect(active()).toEqual(['smoke-1 smoke ACTIVE_UNACK']);
    await happens(point('smoke-1', 'smokeDetected', false));
    expect(alarms.open()[0]?.returnedAt).toBeDefined();
  });

  test('a limit must be passed for ten seconds; a short peak raises nothing', async () => {
    await happens(point('station', 'pm25', 90));
    await clock.advance(9000);
    await happens(point('station', 'pm25', 60));
    await clock.advance(60_000);
    expect(active()).toEqual([]);
    await happens(point('station', 'pm25', 90));
    await clock.advance(10_000);
    await journal.append();
    expect(active()).toEqual(['station pm25High ACTIVE_UNACK']);
  });

  test('a device can have its own limit', async () => {
    settings.pm25High = 100;
    await happens(point('station', 'pm25', 90));
    await clock.advance(20_000);
    expect(active()).toEqual([]);
  });

  test('a reading from which nothing follows commits nothing', async () => {
    await happens(point('smoke-1', 'battery', 92));
    const commit = journal.commit.bind(journal);
    const units: Unit[] = [];
    Object.assign(journal, {
      commit: (unit: Unit) => {
        units.push(unit);
        return commit(unit);
      },
    });
    await happens(
      point('smoke-1', 'smokeDetected', false),
      point('smoke-1', 'battery', 91),
      gate('loopOccupied', false),
    );
    expect(units).toHaveLength(2); // the readings, and the wait for what follows from them
    await happens(point('smoke-1', 'smokeDetected', true), point('smoke-1', 'smokeDetected', false));
    expect(units.map((unit) => unit.records?.map(({ kind, data }) => (kind === 'alarm' ? data : kind)))).toEqual([
      ['telemetry', 'telemetry', 'telemetry'],
      [],
      ['telemetry', 'telemetry'],
      [expect.objectContaining({ change: 'raised' }), expect.objectContaining({ change: 'returned' })],
      [],
    ]);
  });

  test('R2 a reading from which nothing followed is read again after a restart, and ends no alarm raised since', async () => {
    await happens(point('smoke-1', 'battery', 92));
    await alarms.raise({ device: 'smoke-1', scenario: 'smoke-alarm', zone: 'b3-1', kind: 'battery', actor: 'flow:x' });
    await happens(gate('loopOccupied', false));
    await stop();
    await start();
    expect(active()).toEqual(['smoke-1 battery ACTIVE_UNACK']);
    await happens(point('smoke-1', 'battery', 91));
    expect(active()).toEqual(['smoke-1 battery RTN_UNACK']);
  });

  test('R2 when the disk refuses what follows, what comes after it waits and nothing is left out', async () => {
    const commit = journal.commit.bind(journal);
    let refusals = 1;
    Object.assign(journal, {
      commit: (unit: Unit) =>
        unit.records?.[0]?.kind === 'alarm' && refusals-- > 0
          ? Promise.reject(new GatehouseError('journal.write', 'disk I/O error'))
          : commit(unit),
    });
    const both = [point('smoke-1', 'smokeDetected', true), gate('barrierState', 'closed')];
    await Promise.all([journal.append(...both), journal.append(gate('barrierState', 'between'))]);
    await journal.append();
    expect(journal.read({ kind: ['alarm'] }).items).toEqual([]);
    await clock.advance(1000);
    await journal.append();
    expect(active().toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'gate-east-in forced ACTIVE_UNACK',
      'smoke-1 smoke ACTIVE_UNACK',
    ]);
    await stop();
    await start();
    expect(journal.read({ kind: ['alarm'] }).items).toHaveLength(2);
  });

  test('a bad reading raises and clears nothing', async () => {
    await happens({ ...point('smoke-1', 'smokeDetected', true), quality: 'bad' });
    expect(active()).toEqual([]);
  });
});

describe('a lane', () => {
  async function carPasses() {
    await happens(gate('barrierState', 'between'), gate('barrierState', 'open'));
    clock.step(2000);
    await happens(gate('loopOccupied', true));
    clock.step(1500);
    await happens(gate('loopOccupied', false));
  }

  test('plate, order, arm, loop: one passage with plate, opener, command and cause', async () => {
    await happens(gate('barrierState', 'closed'), plateRead('粤B12345'), opening('flow:lane'));
    await carPasses();
    await happens(gate('barrierState', 'closed'));
    const [read] = journal.read({ name: 'plate.read' }).items;
    expect(passages()).toMatchObject([
      {
        device: 'gate-east-in',
        cause: read?.id,
        data: {
          plate: '粤B12345',
          direction: 'in',
          gate: 'gate-east-in',
          openedBy: 'flow:lane',
          command: 'c-1',
          occupiedMs: 1500,
        },
      },
    ]);
    expect(active()).toEqual([]);
  });

  test('an arm that leaves "closed" with no order is forced, until it is closed again', async () => {
    await happens(gate('barrierState', 'closed'));
    await happens(gate('barrierState', 'between'));
    expect(active()).toEqual(['gate-east-in forced ACTIVE_UNACK']);
    await happens(gate('barrierState', 'closed'));
    expect(active()).toEqual(['gate-east-in forced RTN_UNACK']);
  });

  test('an order is used up once the arm has closed again: seconds later it is forced all the same', async () => {
    await happens(gate('barrierState', 'closed'), opening());
    await carPasses();
    await happens(gate('barrierState', 'closed'));
    clock.step(1000);
    await happens(gate('barrierState', 'between'));
    expect(active()).toEqual(['gate-east-in forced ACTIVE_UNACK']);
  });

  test('an order of a minute ago does not excuse a forced arm', async () => {
    await happens(gate('barrierState', 'closed'), opening());
    await carPasses();
    await happens(gate('barrierState', 'closed'));
    clock.step(60_000);
    await happens(gate('barrierState', 'open'));
    expect(active()).toEqual(['gate-east-in forced ACTIVE_UNACK']);
  });

  test('a second vehicle on one opening is tailgating, and its plate is not the first one', async () => {
    await happens(gate('barrierState', 'closed'), plateRead('粤B12345'), opening());
    await carPasses();
    await happens(gate('loopOccupied', true));
    await happens(gate('loopOccupied', false));
    expect(passages().map((record) => (record.data as { plate?: string }).plate)).toEqual(['粤B12345', undefined]);
    expect(active()).toEqual(['gate-east-in tailgating RTN_UNACK']);
  });

  test('a loop that frees while the arm is closed is no passage; a plate sent late is not taken', async () => {
    await happens(gate('barrierState', 'closed'), gate('loopOccupied', true), gate('loopOccupied', false));
    expect(passages()).toEqual([]);
    await happens(plateRead('粤B99999', true), opening());
    await carPasses();
    expect(passages()[0]?.data).not.toHaveProperty('plate');
  });

  test('L06 a block-listed plate at the gate raises an alarm that waits for the guard', async () => {
    const refused = {
      lane: 'L1',
      kind: 'event',
      scenario: 'vehicle-gate',
      device: 'gate-east-in',
      name: 'vehicle.unrecognised',
    } as const;
    await happens({ ...refused, data: { plate: '粤B00000', reason: 'unknown' } });
    expect(active()).toEqual([]);
    await happens({ ...refused, data: { plate: '粤B66666', reason: 'blocked' } });
    expect(active()).toEqual(['gate-east-in blacklisted RTN_UNACK']);
  });

  test('R2 a restart between plate and loop: the passage is written once, with its plate', async () => {
    await happens(gate('barrierState', 'closed'), plateRead('粤B12345'), opening());
    await happens(gate('barrierState', 'open'), gate('loopOccupied', true));
    await stop();
    await start();
    await happens(gate('loopOccupied', false));
    await stop();
    await start();
    expect(passages().map((record) => (record.data as { plate?: string }).plate)).toEqual(['粤B12345']);
  });
});
