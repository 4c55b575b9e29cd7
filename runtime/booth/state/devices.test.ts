import { expect, test } from 'vitest';
import { deviceCounts, devicesFrom, foldDevices, isFresh } from './devices.ts';
import { device, record } from './fixture.ts';

const book = devicesFrom([device()]);

test('a reading replaces the point, an older one does not', () => {
  const reading = (data: unknown, received: number) =>
    record({ kind: 'telemetry', name: 'barrierState', data, received });
  const open = foldDevices(book, [reading('open', 5000)]);
  expect(open.get('gate-east-in')?.points.barrierState).toMatchObject({ value: 'open', received: 5000 });
  expect(foldDevices(open, [reading('between', 4000)])).toBe(open);
});

test('link states come from the journal, with their reason', () => {
  const off = foldDevices(book, [
    record({ kind: 'state', name: 'link', data: { state: 'offline', reason: 'driver.timeout' }, received: 7000 }),
  ]);
  expect(off.get('gate-east-in')?.link).toEqual({ state: 'offline', since: 7000, reason: 'driver.timeout' });
  expect(deviceCounts(off)).toEqual({ online: 0, total: 1 });
});

test('a value of a device that does not answer is not now', () => {
  expect(isFresh(device(), 'barrierState')).toBe(true);
  expect(isFresh(device({ link: { state: 'offline', since: 0 } }), 'barrierState')).toBe(false);
  expect(isFresh(device(), 'nothing')).toBe(false);
});

test('unknown devices and other kinds leave the book alone', () => {
  expect(foldDevices(book, [record({ kind: 'telemetry', device: 'ghost' }), record({})])).toBe(book);
});
