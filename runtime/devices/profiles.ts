/** Firmware profiles: one JSON file per model, read at start and checked against driver and contract. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { Profile } from '../../drivers/driver.ts';
import { driverOf, drivers } from '../../drivers/index.ts';
import { profileOf } from '../../drivers/profile-schema.ts';
import type { Scenario } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import { GatehouseError, reasonOf } from '../errors.ts';

const SHIPPED = fileURLToPath(new URL('../../firmware-profiles', import.meta.url));

/**
 * Reads `<dir>/<make>/<model>.json`.
 * @returns by id, `<make>/<model>`.
 * @throws {GatehouseError} `profile.invalid` naming file and path in it.
 */
export function loadProfiles(dir = SHIPPED): ReadonlyMap<string, Profile> {
  const profiles = new Map<string, Profile>();
  for (const make of readdirSync(dir, { withFileTypes: true })) {
    if (!make.isDirectory()) continue;
    for (const file of readdirSync(join(dir, make.name))) {
      if (!file.endsWith('.json')) continue;
      const id = `${make.name}/${file.slice(0, -'.json'.length)}`;
      profiles.set(id, parseProfile(id, readFileSync(join(dir, make.name, file), 'utf8')));
    }
  }
  return profiles;
}

/** @throws {GatehouseError} `profile.invalid` */
export function parseProfile(id: string, text: string): Profile {
  const file = `${id}.json`;
  const value = parse(file, text);
  const protocol = (value as { driver?: unknown } | null)?.driver;
  const driver = typeof protocol === 'string' ? driverOf(protocol) : undefined;
  if (!driver) {
    throw invalid(file, '/driver', `must be one of ${drivers.map((one) => one.protocol).join(', ')}`);
  }
  checkShape(file, profileOf(driver), value, driver);
  const { $schema: _, ...fields } = value as Omit<Profile, 'id'> & { readonly $schema?: string };
  const profile: Profile = { id, ...fields };
  checkContract(file, profile);
  return profile;
}

const invalid = (file: string, path: string, what: string): GatehouseError =>
  new GatehouseError('profile.invalid', `${file} ${path}: ${what}`, { detail: { file, path } });

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(file, '/', reasonOf(error));
  }
}

type Fields = Readonly<Record<string, unknown>>;

function checkShape(
  file: string,
  schema: TSchema,
  value: unknown,
  driver: { point: TSchema; command?: TSchema },
): void {
  const error = Value.Errors(schema, value)[0];
  if (!error) return;
  // A point has many shapes; say what is wrong with the one that was meant, not with the last one tried.
  const { points, commands } = value as { points?: Fields; commands?: Fields };
  checkEach(file, 'points', driver.point, points, ['as', 'read']);
  if (driver.command) checkEach(file, 'commands', driver.command, commands, ['write']);
  throw invalid(file, error.instancePath || '/', error.message);
}

function checkEach(file: string, part: string, schema: TSchema, entries: Fields | undefined, keys: string[]): void {
  const shapes = (schema as { anyOf?: TSchema[] }).anyOf ?? [schema];
  for (const [name, entry] of Object.entries(entries ?? {})) {
    if (Value.Check(schema, entry)) continue;
    const found = shapes
      .map((shape) => Value.Errors(shape, entry))
      .sort((a, b) => weight(a, keys) - weight(b, keys))[0]?.[0];
    if (found) throw invalid(file, `/${part}/${name}${found.instancePath}`, found.message);
  }
}

/** The shape whose telling keys fit is the one that was meant. */
const weight = (errors: readonly { readonly instancePath: string }[], keys: readonly string[]): number =>
  errors.filter((error) => keys.some((key) => error.instancePath === `/${key}`)).length * 100 + errors.length;

/** Everything a profile names must exist in the contract, or a reading would be refused one by one for ever. */
function checkContract(file: string, profile: Profile): void {
  const [scenarioId = '', version] = profile.scenario.split('@');
  const scenario = scenarioOf(scenarioId);
  if (!scenario || String(scenario.version) !== version) throw invalid(file, '/scenario', 'no such contract');
  if (!Object.hasOwn(scenario.roles, profile.role)) throw invalid(file, '/role', `${scenarioId} has no such role`);
  for (const [name, point] of Object.entries(profile.points)) {
    const schema = scenario.telemetry[name];
    if (!schema) throw invalid(file, `/points/${name}`, `${scenarioId} has no such point`);
    for (const [raw, word] of Object.entries((point as { of?: Fields }).of ?? {})) {
      if (!Value.Check(schema, word)) throw invalid(file, `/points/${name}/of/${raw}`, 'does not fit the contract');
    }
  }
  for (const [name, command] of Object.entries(profile.commands ?? {})) {
    checkCommand(file, name, command, scenario);
  }
  for (const [i, frame] of profile.frames.entries()) {
    for (const event of frame.expect.events ?? []) {
      const kind = scenario.events[event.name];
      if (!kind) throw invalid(file, `/frames/${i}/expect/events`, `no event ${event.name}`);
      const error = Value.Errors(kind.data, event.data)[0];
      if (error) throw invalid(file, `/frames/${i}/expect/events${error.instancePath}`, error.message);
    }
    for (const [name, expected] of Object.entries(frame.expect.readings ?? {})) {
      const schema = Object.hasOwn(profile.points, name) ? scenario.telemetry[name] : undefined;
      if (!schema || !Value.Check(schema, expected)) {
        throw invalid(file, `/frames/${i}/expect/readings/${name}`, 'does not fit the contract');
      }
    }
  }
}

function checkCommand(file: string, name: string, command: unknown, scenario: Scenario): void {
  const kind = scenario.commands[name];
  if (!kind) throw invalid(file, `/commands/${name}`, `${scenario.id} has no such command`);
  if (kind.acts !== 'device')
    throw invalid(file, `/commands/${name}`, 'changes a setting of the gateway, not the device');
  for (const field of fieldsOf(command)) {
    if (!Object.hasOwn(kind.input.properties, field)) {
      throw invalid(file, `/commands/${name}`, `its input has no field ${field}`);
    }
  }
}

/** Every input field a command names, wherever it stands in it. */
const fieldsOf = (part: unknown): string[] =>
  part !== null && typeof part === 'object'
    ? Object.entries(part).flatMap(([key, value]) =>
        key === 'field' && typeof value === 'string' ? [value] : fieldsOf(value),
      )
    : [];
