/** Readings as numbers beside their limits, from the alarms of the contract. */
import type { DeviceView } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';

const units: Readonly<Record<string, string>> = {
  Cel: '°C',
  'ug/m3': 'µg/m³',
  '[ppm]': 'ppm',
  'dB(A)': 'dB',
  deg: '°',
  '1': '',
};

/** UCUM as people write it. */
export function unitOf(scenario: string, point: string): string {
  const schema = scenarioOf(scenario)?.telemetry[point] as { 'x-unit'?: string } | undefined;
  const unit = schema?.['x-unit'] ?? '';
  return units[unit] ?? unit;
}

/**
 * The nearest limit of a point: the lowest upper one, else the highest lower one; the device's own setting comes first.
 * @returns undefined for a point without a limit.
 */
export function limitsOf(device: DeviceView, point: string): { value: number; over: boolean } | undefined {
  const now = device.points[point]?.value;
  const limits = Object.entries(scenarioOf(device.scenario)?.alarms ?? {}).flatMap(([name, { when }]) => {
    if (when?.point !== point || !('above' in when || 'below' in when)) return [];
    const own = device.settings[name];
    const value = typeof own === 'number' ? own : 'above' in when ? when.above : when.below;
    const upper = 'above' in when;
    return [{ value, upper, over: typeof now === 'number' && (upper ? now > value : now < value) }];
  });
  const crossed = limits.find((limit) => limit.over);
  const upper = limits.filter((limit) => limit.upper).sort((a, b) => a.value - b.value)[0];
  const nearest = crossed ?? upper ?? limits[0];
  return nearest && { value: nearest.value, over: nearest.over };
}

/** At most one digit after the point: more is noise on a panel. */
export const valueText = (value: unknown): string =>
  typeof value === 'number'
    ? String(Math.round(value * 10) / 10)
    : value === null || value === undefined
      ? '–'
      : String(value);
