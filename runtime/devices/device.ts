/** A device with everything its description leads to: profile, scenario, role, driver, line. */
import { Value } from 'typebox/value';
import type { Driver, Profile, Scalar } from '../../drivers/driver.ts';
import type { DeviceInput } from '../contracts/api.ts';
import { scenarioOf } from '../contracts/index.ts';
import { type Problem, shown } from './problem.ts';
import { findings, nearest } from './shape.ts';

export interface Device {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly profile: Profile;
  /** Scenario id, without the version. */
  readonly scenario: string;
  readonly role: string;
  readonly driver: Driver;
  readonly address: Readonly<Record<string, unknown>>;
  readonly settings: Readonly<Record<string, Scalar>>;
  readonly cameras: readonly string[];
  /** Device in front of it. */
  readonly parent?: string;
}

/** What makes devices collide on the wire. */
export interface Wiring {
  /** Equal for two devices that would answer the same request. */
  readonly identity: string;
  /** The shared line and its settings; absent where the device speaks first. */
  readonly line?: { readonly name: string; readonly settings: Readonly<Record<string, string>> };
}

export interface Catalogue {
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly driverOf: (protocol: string) => Driver | undefined;
}

/** Keys of an address that belong to the line and not to the one device on it. */
const LINE_KEYS = ['baudRate', 'dataBits', 'parity', 'stopBits'];

/** @returns what is wrong if the profile is not known or the address does not fit its driver. */
export function resolveDevice(
  input: DeviceInput,
  { profiles, driverOf }: Catalogue,
): { device: Device; wiring: Wiring } | { problems: Problem[] } {
  const profile = profiles.get(input.profile);
  const driver = profile && driverOf(profile.driver);
  const scenario = profile?.scenario.split('@')[0] ?? '';
  if (!profile || !driver || !scenarioOf(scenario)) {
    const near = profile ? undefined : nearest(input.profile, profiles.keys());
    const fill = { value: shown(input.profile), ...(near === undefined ? {} : { near }) };
    const what = near === undefined ? 'profileUnknown' : 'profileUnknownNear';
    return { problems: [problem(input, what, ['profile'], fill, 'device.profile_unknown')] };
  }
  const address = input.address ?? {};
  const bad = [...findings(driver.address, address).map((one) => ({ ...one, path: ['address', ...one.path] }))];
  const alarms = scenarioOf(scenario)?.alarms ?? {};
  for (const [key, value] of Object.entries(input.settings ?? {})) {
    const when = Object.hasOwn(alarms, key) ? alarms[key]?.when : undefined;
    if (when && !('equals' in when) && typeof value !== 'number') {
      bad.push({ what: 'wrongType', path: ['settings', key], fill: { value: shown(value), type: 'number' } });
    }
  }
  if (bad.length > 0) return { problems: bad.map(({ what, path, fill }) => problem(input, what, path, fill)) };
  return {
    device: {
      id: input.id,
      name: input.name,
      zone: input.zone,
      profile,
      scenario,
      role: profile.role,
      driver,
      address,
      settings: input.settings ?? {},
      cameras: input.cameras ?? [],
      ...(input.parent === undefined ? {} : { parent: input.parent }),
    },
    wiring: wiringOf(input.id, address, driver),
  };
}

const problem = (
  { id }: DeviceInput,
  what: Problem['what'],
  path: Problem['path'],
  fill: Problem['fill'],
  code: Problem['code'] = 'device.invalid',
): Problem => ({ what, code, kind: 'device', id, path, fill });

function wiringOf(id: string, address: Readonly<Record<string, unknown>>, driver: Driver): Wiring {
  if (driver.kind === 'message') return { identity: `${driver.via}:${id}` };
  const full = Value.Default(driver.address, structuredClone(address)) as Record<string, unknown>;
  const settings = LINE_KEYS.filter((key) => full[key] !== undefined).map((key) => [key, String(full[key])]);
  return {
    identity: driver.identityOf(address),
    line: { name: driver.lineOf(address), settings: Object.fromEntries(settings) },
  };
}
