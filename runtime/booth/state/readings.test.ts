import { expect, test } from 'vitest';
import { device, point } from './fixture.ts';
import { limitsOf, unitOf, valueText } from './readings.ts';

const station = (points: Record<string, number>, settings: Record<string, number> = {}) =>
  device({
    scenario: 'environment-monitoring',
    points: Object.fromEntries(Object.entries(points).map(([name, value]) => [name, point(value)])),
    settings,
  });

test('the nearest upper limit is shown until a higher one is crossed', () => {
  expect(limitsOf(station({ pm25: 38 }), 'pm25')).toEqual({ value: 75, over: false });
  expect(limitsOf(station({ pm25: 80 }), 'pm25')).toEqual({ value: 75, over: true });
  expect(limitsOf(station({ temperature: -12 }), 'temperature')).toEqual({ value: -10, over: true });
  expect(limitsOf(station({ pm10: 40 }), 'pm10')).toBeUndefined();
});

test("the device's own limit comes first", () => {
  expect(limitsOf(station({ noise: 62 }, { noiseHigh: 60 }), 'noise')).toEqual({ value: 60, over: true });
});

test('units and values as people write them', () => {
  expect(unitOf('environment-monitoring', 'temperature')).toBe('°C');
  expect(unitOf('environment-monitoring', 'pm25')).toBe('µg/m³');
  expect(valueText(31.24)).toBe('31.2');
  expect(valueText(undefined)).toBe('–');
});
