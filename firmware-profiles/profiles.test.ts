import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Profile, ProfileFrame, Reading } from '../drivers/driver.ts';
import { driverOf } from '../drivers/index.ts';
import { encodeCommand } from '../drivers/modbus/command.ts';
import { encodeRtu } from '../drivers/modbus/frame.ts';
import type { Command } from '../drivers/modbus/schema.ts';
import { profileSchemaText } from '../drivers/profile-schema.ts';
import { scenarioOf } from '../runtime/contracts/index.ts';
import { loadProfiles, parseProfile } from '../runtime/devices/profiles.ts';
import { GatehouseError } from '../runtime/errors.ts';

const profiles = loadProfiles();
const valuesOf = (readings: readonly Reading[]) =>
  Object.fromEntries(readings.filter((r) => r.quality !== 'bad').map((r) => [r.point, r.value]));

function meaningOf(profile: Profile, frame: ProfileFrame): ProfileFrame['expect'] {
  const driver = driverOf(profile.driver);
  if (!driver) throw new Error(`no driver ${profile.driver}`);
  try {
    if (driver.kind === 'link') return { readings: valuesOf(driver.decode(profile, frame)) };
    const body = new TextEncoder().encode(frame.receive);
    const message = driver.decode(profile, { body, ...(frame.topic === undefined ? {} : { topic: frame.topic }) });
    const events = message.events.map(({ name, data }) => ({ name, data }));
    return { readings: valuesOf(message.readings), events };
  } catch (error) {
    if (error instanceof GatehouseError) return { error: error.code };
    throw error;
  }
}

describe.each([...profiles.values()].map((profile) => [profile.id, profile] as const))('%s', (_, profile) => {
  test.each(profile.frames.map((frame) => [frame.name, frame] as const))('%s', (_name, frame) => {
    const { readings = {}, events = [], error } = meaningOf(profile, frame);
    expect({ readings, events, error }).toEqual({
      readings: frame.expect.readings ?? {},
      events: frame.expect.events ?? [],
      error: frame.expect.error,
    });
  });

  test('every point is in some frame', () => {
    const seen = new Set(profile.frames.flatMap((frame) => Object.keys(frame.expect.readings ?? {})));
    expect(seen).toEqual(new Set(Object.keys(profile.points)));
  });

  test('every command sends a frame that is shown', () => {
    if (profile.driver !== 'modbus') return expect(profile.commands ?? {}).toEqual({});
    const shown = profile.frames.map((frame) => frame.request?.replaceAll(' ', ''));
    const input = scenarioOf(profile.scenario.split('@')[0] ?? '')?.commands;
    for (const [name, command] of Object.entries(profile.commands ?? {})) {
      const fields = Object.entries(input?.[name]?.input.properties ?? {});
      const least = Object.fromEntries(
        fields.map(([field, schema]) => [field, (schema as { minimum?: number }).minimum]),
      );
      const request = encodeCommand(command as Command, 1, least);
      expect(shown, name).toContain(encodeRtu(request).toString('hex'));
    }
  });
});

test('an optional field that the input lacks is sent as the profile says', () => {
  const play = { write: 'register', address: 0, value: { field: 'clip', otherwise: 2 } } as const;
  expect(encodeCommand(play, 1, {})).toMatchObject({ value: 2 });
  expect(encodeCommand(play, 1, { clip: 7 })).toMatchObject({ value: 7 });
  const strict = { ...play, value: { field: 'clip' } };
  expect(() => encodeCommand(strict, 1, {})).toThrow('input field clip is not a number');
});

test('profile.schema.json is what the drivers say; else run `node drivers/profile-schema.ts`', () => {
  const committed = readFileSync(new URL('profile.schema.json', import.meta.url), 'utf8');
  expect(JSON.parse(committed)).toEqual(JSON.parse(profileSchemaText()));
});

describe('a profile that is wrong is refused, naming file and place', () => {
  const text = (change: (profile: Record<string, never>) => void) => {
    const { id: _id, ...profile } = structuredClone(profiles.get('generic/di-perimeter')) as unknown as Record<
      string,
      never
    >;
    change(profile);
    return JSON.stringify(profile);
  };
  const set = (path: string, value: unknown) =>
    text((profile) => {
      const keys = path.split('.');
      const last = keys.pop() ?? '';
      const parent = keys.reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, profile);
      if (value === undefined) delete parent[last];
      else parent[last] = value;
    });
  const bit = { read: 'coil', address: 1, as: 'bit' };

  test.each([
    ['not JSON', '{', 'a/b.json /:'],
    ['unknown driver', set('driver', 'modbis'), 'a/b.json /driver: must be one of modbus'],
    ['unknown key', set('colour', 'red'), 'a/b.json /'],
    ['point without address', set('points.tampered.address', undefined), 'a/b.json /points/tampered'],
    ['misspelt reading', set('points.tampered.as', 'bits16'), 'a/b.json /points/tampered/as'],
    ['address as text', set('points.tampered.address', '1'), 'a/b.json /points/tampered/address'],
    ['point the contract lacks', set('points.mood', bit), 'a/b.json /points/mood: perimeter-guard has no such point'],
    ['word the contract lacks', set('points.zoneState.of.000', 'asleep'), 'a/b.json /points/zoneState/of/000'],
    [
      'command the contract lacks',
      set('commands.explode', { write: 'coil', address: 0, value: true }),
      '/commands/explode',
    ],
    [
      'input field it lacks',
      set('commands.arm', { write: 'register', address: 0, value: { field: 'x' } }),
      'no field x',
    ],
    ['unknown scenario', set('scenario', 'perimeter-guard@9'), 'a/b.json /scenario: no such contract'],
    ['unknown role', set('role', 'guard'), 'a/b.json /role'],
    ['no frames', set('frames', []), 'a/b.json /frames'],
  ])('%s', (_, profile, says) => {
    const error = (() => {
      try {
        return parseProfile('a/b', profile);
      } catch (thrown) {
        return thrown as GatehouseError;
      }
    })();
    expect(error).toMatchObject({ code: 'profile.invalid' });
    expect((error as GatehouseError).message).toContain(says);
  });

  const directories: string[] = [];
  afterEach(() => {
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
  });

  test('profiles come from the folder given, by make and model', () => {
    const directory = mkdtempSync(join(tmpdir(), 'profiles-'));
    directories.push(directory);
    mkdirSync(join(directory, 'acme'));
    writeFileSync(join(directory, 'acme', 'wall.json'), set('role', 'zone'));
    writeFileSync(join(directory, 'acme', 'README.md'), 'not a profile');
    expect([...loadProfiles(directory).keys()]).toEqual(['acme/wall']);
  });
});
