/** The pure parts of the nodes. What they make together is in nodes.test.ts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { scenarios } from '../runtime/contracts/index.ts';
import type { JournalRecord } from '../runtime/contracts/record.ts';
import { catalogue, type ErrorCode } from '../runtime/errors.ts';
import { failureCodes, failureOf } from './failures.ts';
import { durationText, lightOf } from './light.ts';
import zh from './locales/zh-CN.json' with { type: 'json' };
import { openPosition } from './position.ts';
import { readPick, unionOf, wants } from './selection.ts';
import { readMaxAge } from './source.ts';
import { readEvents, type ServerEvent } from './sse.ts';

const record = (change: Partial<JournalRecord>): JournalRecord => ({
  gateway: 'g',
  epoch: 1,
  seq: 1,
  id: 'r',
  at: 0,
  received: 0,
  clock: 'synced',
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'camera',
  name: 'plate.read',
  data: {},
  quality: 'good',
  ...change,
});

describe('failures', () => {
  test('every code of the catalogue means one of the seven', () => {
    for (const [code, { status }] of Object.entries(catalogue)) {
      expect(failureCodes, code).toContain(failureOf(code, status));
    }
  });
  test.each<[ErrorCode, string]>([
    ['command.interlock', 'GH_INTERLOCK'],
    ['command.offline', 'GH_OFFLINE'],
    ['command.expired', 'GH_TIMEOUT'],
    ['driver.timeout', 'GH_TIMEOUT'],
    ['command.forbidden', 'GH_FORBIDDEN'],
    ['auth.forbidden', 'GH_FORBIDDEN'],
    ['auth.missing', 'GH_FORBIDDEN'],
    ['command.invalid', 'GH_BAD_INPUT'],
    ['device.not_found', 'GH_BAD_INPUT'],
    ['http.invalid', 'GH_BAD_INPUT'],
    ['command.busy', 'GH_REFUSED'],
    ['command.rate', 'GH_REFUSED'],
    ['journal.full', 'GH_REFUSED'],
  ])('%s is %s', (code, failure) => expect(failureOf(code, catalogue[code].status)).toBe(failure));
  test('every code has its words', () => {
    for (const code of failureCodes)
      expect([zh.code[code], zh.short[code], zh.help.codes[code]]).not.toContain(undefined);
  });
});

describe('selection', () => {
  const zones = (device: string) => ({ camera: ['east-in', 'east'], barrier: ['west-in'] })[device];
  const ticks = (...all: string[]) => new Set(all);

  test.each([
    ['a ticked record', { pick: { by: 'all' }, ticks: ticks('event:plate.read') }, {}, true],
    ['another name', { pick: { by: 'all' }, ticks: ticks('event:plate.read') }, { name: 'passage' }, false],
    ['a whole kind', { pick: { by: 'all' }, ticks: ticks('event:*') }, { name: 'passage' }, true],
    ['another kind of that name', { pick: { by: 'all' }, ticks: ticks('event:*') }, { kind: 'alarm' }, false],
    ['another scenario', { pick: { by: 'all' }, ticks: ticks('event:*') }, { scenario: 'smoke-alarm' }, false],
    ['the device', { pick: { by: 'device', device: 'camera' }, ticks: ticks('event:*') }, {}, true],
    ['another device', { pick: { by: 'device', device: 'barrier' }, ticks: ticks('event:*') }, {}, false],
    ['its zone', { pick: { by: 'zone', zone: 'east-in' }, ticks: ticks('event:*') }, {}, true],
    ['a zone around its zone', { pick: { by: 'zone', zone: 'east' }, ticks: ticks('event:*') }, {}, true],
    ['another zone', { pick: { by: 'zone', zone: 'west-in' }, ticks: ticks('event:*') }, {}, false],
    ['a device nobody knows', { pick: { by: 'zone', zone: 'east' }, ticks: ticks('event:*') }, { device: 'x' }, false],
  ] as const)('%s', (_name, selection, change, expected) => {
    expect(wants({ scenarios: ['vehicle-gate'], ...selection }, record(change), zones)).toBe(expected);
  });

  test('the shared stream asks for what somebody needs, and no more', () => {
    const gate = {
      scenarios: ['vehicle-gate'],
      pick: { by: 'all' },
      ticks: ticks('event:passage', 'state:*'),
    } as const;
    expect(unionOf([])).toEqual({ kinds: [], scenarios: [] });
    expect(unionOf([gate])).toEqual({ kinds: ['event', 'state'], scenarios: ['vehicle-gate'] });
    const any = { scenarios: [], pick: { by: 'all' }, ticks: ticks('alarm:*') } as const;
    expect(unionOf([gate, any])).toEqual({ kinds: ['event', 'alarm', 'state'], scenarios: [] });
  });

  test('a form without the device or zone it asks for picks nothing', () => {
    expect(readPick({ pick: 'device', device: '  ' })).toBeUndefined();
    expect(readPick({ pick: 'zone' })).toBeUndefined();
    expect(readPick({ pick: 'device', device: ' gate ' })).toEqual({ by: 'device', device: 'gate' });
    expect(readPick({})).toEqual({ by: 'all' });
  });

  test.each([
    [undefined, 30],
    ['', 30],
    ['abc', 30],
    [0, 30],
    [-5, 30],
    ['15', 15],
    [1e9, 86_400],
  ])('a maximum age of %s is %i seconds', (maxAgeSeconds, expected) => {
    expect(readMaxAge({ maxAgeSeconds })).toBe(expected);
  });
});

describe('server-sent events', () => {
  const whole = 'id: 1:7\nevent: record\ndata: {"a":"x: y"}\n\n: comment\n\nevent: beat\ndata: {}\n\n';
  const expected: ServerEvent[] = [
    { event: 'record', data: '{"a":"x: y"}', id: '1:7' },
    { event: 'beat', data: '{}' },
  ];
  test.each([1, 2, 7, 1000])('come out whole from pieces of %i', (size) => {
    const events: ServerEvent[] = [];
    const feed = readEvents((event) => events.push(event));
    for (let i = 0; i < whole.length; i += size) feed(whole.slice(i, i + size));
    expect(events).toEqual(expected);
  });
  test('without end are refused', () => {
    const feed = readEvents(() => {});
    expect(() => {
      for (let i = 0; i < 30; i++) feed('x'.repeat(100_000));
    }).toThrow(/without end/);
  });
});

describe('the light', () => {
  const words = (key: string, values: Readonly<Record<string, unknown>> = {}) =>
    `${key} ${Object.values(values).join(' ')}`.trim();
  const light = (condition: Parameters<typeof lightOf>[0]) => {
    const { fill, shape, text } = lightOf(condition, 1_000_000, words, 'Asia/Shanghai');
    return `${fill} ${shape} ${text}`;
  };
  test.each([
    [{ unconfigured: true, failed: 'GH_TIMEOUT' }, 'grey ring status.unconfigured'],
    [{ running: 1, failed: 'GH_TIMEOUT' }, 'blue dot status.running'],
    [{ failed: 'GH_TIMEOUT', offlineSince: 0 }, 'red dot status.failed short.GH_TIMEOUT'],
    [{ offlineSince: 280_000 }, 'red ring status.offline 12m'],
    [{ connection: { online: false, attempt: 2 } }, 'yellow ring status.connecting 3'],
    [{ connection: { online: true }, skipped: 4, skippedAge: 90_000 }, 'yellow dot status.stale 4 2m'],
    [{ connection: { online: true }, goodAt: 22_351_000 }, 'green dot status.online 14:12:31'],
    [{ connection: { online: true } }, 'green dot status.online'],
  ] as const)('%j is %s', (condition, expected) => expect(light(condition)).toBe(expected));
  test.each([
    [-5, '0s'],
    [59_000, '59s'],
    [60_000, '1m'],
    [7_200_000, '2h'],
    [259_200_000, '3d'],
  ])('%i ms are %s', (ms, text) => expect(durationText(ms)).toBe(text));
});

describe('the kept position', () => {
  const inFolder = async (act: (folder: string) => Promise<void>) => {
    const folder = mkdtempSync(join(tmpdir(), 'gh-position-'));
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    try {
      await act(folder);
    } finally {
      vi.useRealTimers();
      rmSync(folder, { recursive: true });
    }
  };
  const refuse = (text: string) => {
    throw new Error(text);
  };
  const kept = (folder: string) => openPosition(folder, refuse).kept;

  test('is absent at first, and after a file that was cut off', () =>
    inFolder(async (folder) => {
      expect(kept(folder)).toBeUndefined();
      for (const text of ['', '{"posi', '{"position":5}', '{"position":"x"}']) {
        writeFileSync(join(folder, 'position.json'), text);
        expect(kept(folder)).toBeUndefined();
      }
    }));

  test('follows two seconds behind, so that what a crash interrupts is handed out again', () =>
    inFolder(async (folder) => {
      const positions = openPosition(folder, refuse);
      await positions.begin('1:10');
      expect(kept(folder)).toBe('1:10');
      for (let seq = 11; seq <= 20; seq++) {
        positions.reached(`1:${seq}`);
        vi.advanceTimersByTime(50);
      }
      await positions.begin('1:10'); // waits for the writes before it
      positions.reached('1:21');
      vi.advanceTimersByTime(1000);
      positions.reached('1:22');
      vi.advanceTimersByTime(1100);
      await vi.waitFor(() => expect(kept(folder)).toBe('1:21'));
      vi.advanceTimersByTime(1100);
      await vi.waitFor(() => expect(kept(folder)).toBe('1:22'));
      expect(JSON.parse(readFileSync(join(folder, 'position.json'), 'utf8'))).toEqual({ position: '1:22' });
      positions.close();
    }));

  test('that cannot be written is told once per try, and nothing stops', () =>
    inFolder(async (folder) => {
      const told: string[] = [];
      const positions = openPosition(join(folder, 'gone'), (text) => told.push(text));
      await positions.begin('1:1');
      expect(told).toEqual([expect.stringContaining('ENOENT')]);
      positions.close();
    }));
});

test('a command for flows can be sent without input, so that a bare true can mean it', () => {
  for (const { commands } of scenarios) {
    for (const [id, { input }] of Object.entries(commands).filter(([, kind]) => kind.allow.includes('flow'))) {
      expect(input.required ?? [], `${id} can be sent without input`).toEqual([]);
    }
  }
});
