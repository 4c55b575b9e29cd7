/** Devices as the screen of devices shows them: by what they are for, the points a guard reads first. */
import type { DeviceView } from '../../contracts/api.ts';
import type { Category } from '../../contracts/contract.ts';
import { scenarioOf } from '../../contracts/index.ts';
import type { DeviceBook } from './devices.ts';

/** In the order in which somebody looks for them. */
export const categories = [
  'gh-elevator',
  'gh-energy',
  'gh-safety',
  'gh-access',
  'gh-notice',
  'gh-env',
  'gh-video',
  'gh-core',
  'gh-link',
] as const satisfies readonly Category[];

/** Devices by category, empty ones left out; within one by scenario and name. */
export function groupsOf(devices: DeviceBook): ReadonlyMap<Category, readonly DeviceView[]> {
  const sorted = [...devices.values()].sort(
    (a, b) => a.scenario.localeCompare(b.scenario) || a.name.localeCompare(b.name, 'zh'),
  );
  const of = (category: Category) =>
    sorted.filter((device) => (scenarioOf(device.scenario)?.category ?? 'gh-core') === category);
  return new Map(
    categories.flatMap((category) => (of(category).length > 0 ? [[category, of(category)] as const] : [])),
  );
}

/** The points of a device in the order of its contract; those it never told of are left out. */
export const pointsOf = (device: DeviceView): string[] =>
  Object.keys(scenarioOf(device.scenario)?.telemetry ?? {}).filter((point) => device.points[point] !== undefined);
