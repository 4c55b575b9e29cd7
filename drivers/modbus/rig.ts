/** For tests of the driver: a link with devices on it, and everything it says, to be waited for. */
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { silentLog } from '../../runtime/log.ts';
import type { CommandTurn, Profile, Reading } from '../driver.ts';
import { ModbusLink } from './driver.ts';
import type { Address } from './schema.ts';

export type Said =
  | { readonly device: string; readonly online: true }
  | { readonly device: string; readonly offline: string }
  | { readonly device: string; readonly readings: readonly Reading[] };

/** A barrier board as `waveshare/relay-8ch-barrier` describes it, with the pace given. */
export const barrierProfile = (everyMs: number, offlineAfterMs = 2000): Profile => ({
  id: 'test/barrier',
  scenario: 'vehicle-gate@1',
  role: 'barrier',
  driver: 'modbus',
  title: { zh: '道闸', en: 'Barrier' },
  source: 'test',
  offlineAfterMs,
  points: {
    barrierState: {
      read: 'discrete-input',
      address: 0,
      as: 'bits',
      count: 2,
      of: { '10': 'open', '01': 'closed', '00': 'between', '11': 'fault' },
      everyMs,
    } as object,
    loopOccupied: { read: 'discrete-input', address: 2, as: 'bit', everyMs } as object,
  },
  commands: {
    open: { write: 'pulse', coil: 0, base: 512, units: 5 },
    lockOpen: { write: 'pulse', coil: 2, base: 512, units: { field: 'holdSeconds', times: 10 } },
    endHold: { write: 'coil', address: 2, value: false },
  },
  frames: [],
});

/** A sensor with two registers side by side. */
export const sensorProfile = (everyMs: number, offlineAfterMs = 2000): Profile => ({
  ...barrierProfile(everyMs, offlineAfterMs),
  id: 'test/sensor',
  points: {
    temperature: { read: 'holding-register', address: 0, as: 'int16', scale: 0.1, everyMs } as object,
    humidity: { read: 'holding-register', address: 1, as: 'uint16', scale: 0.1, everyMs } as object,
  },
  commands: {},
});

export function openRig(line: Address, devices: Record<string, { profile: Profile; unit?: number }>, clock?: Clock) {
  const said: Said[] = [];
  let listeners: (() => void)[] = [];
  const hear = (one: Said): void => {
    said.push(one);
    for (const listener of listeners) listener();
  };
  const link = new ModbusLink(line, {
    clock: clock ?? systemClock,
    log: silentLog,
    sink: {
      readings: (device, readings) => hear({ device, readings }),
      online: (device) => hear({ device, online: true }),
      offline: (device, reason) => hear({ device, offline: reason }),
    },
  });
  for (const [id, { profile, unit }] of Object.entries(devices)) {
    link.attach({ id, profile, address: unit === undefined ? line : { ...line, unit } });
  }
  return {
    link,
    said,
    /** Resolves with the first thing said after the call (or from `from` on) that fits. */
    until<T>(fits: (one: Said) => T | undefined, from = said.length): Promise<T> {
      return new Promise((resolve) => {
        let next = from;
        const look = () => {
          for (; next < said.length; next++) {
            const one = said[next];
            const found = one && fits(one);
            if (found === undefined) continue;
            listeners = listeners.filter((other) => other !== look);
            resolve(found);
            return;
          }
        };
        listeners.push(look);
        look();
      });
    },
    [Symbol.asyncDispose]: () => link.close(),
  };
}

export const isOnline = (device: string) => (one: Said) =>
  one.device === device && 'online' in one ? true : undefined;
export const isOffline = (device: string) => (one: Said) =>
  one.device === device && 'offline' in one ? one.offline : undefined;
export const reads = (device: string, point: string, value: Reading['value']) => (one: Said) =>
  one.device === device && 'readings' in one && one.readings.some((r) => r.point === point && r.value === value)
    ? true
    : undefined;

/** A command turn that may always begin. */
export const atOnce = (signal = new AbortController().signal): CommandTurn => ({
  begin: () => Promise.resolve(),
  signal,
});
