/** For tests: alarms over a real journal on a clock moved by hand, which can be stopped and started again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import type { AlarmSettings, AlarmView } from '../contracts/api.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { type Alarms, createAlarms, schema } from './alarms.ts';

export const guard = { actor: 'user:demo-guard', role: 'guard' } as const;
export const leader = { actor: 'user:demo-leader', role: 'shift-leader' } as const;
export const installer = { actor: 'user:demo-installer', role: 'installer' } as const;

const subject = (device: string, scenario: string, zone: string, kind: string) => ({
  ...{ device, scenario, zone, kind },
  actor: 'system:rules',
});
export const smoke = subject('smoke-1', 'smoke-alarm', 'b3-1', 'smoke');
export const forced = subject('gate-east-in', 'vehicle-gate', 'east-in', 'forced');
export const heldOpen = subject('gate-east-in', 'vehicle-gate', 'east-in', 'heldOpen');
export const battery = subject('smoke-1', 'smoke-alarm', 'b3-1', 'battery');
export const line = subject('line-1', 'gateway', '', 'lineDown');
/** Behind `line-1`, beside `gate-2` and in front of `gate-3`. */
export const offline = (device: string) => subject(device, 'vehicle-gate', 'east-in', 'offline');

export interface AlarmRig extends AsyncDisposable {
  readonly clock: ManualClock;
  alarms: Alarms;
  journal: Journal;
  /** What the site says about its alarms; may be changed. */
  settings: AlarmSettings | undefined;
  /** Told to people, in order. */
  readonly escalated: AlarmView[];
  readonly answered: AlarmView[];
  /** Everything handed to the journal so far is durable. */
  settled(): Promise<void>;
  clear(of: { device: string; kind: string }): Promise<AlarmView | undefined>;
  changes(): string[];
  /** Like a crash: nothing is finished but what the journal has. @param away how long the wall clock goes on meanwhile */
  restart(away?: number): Promise<void>;
}

const above: Readonly<Record<string, readonly string[]>> = {
  'gate-1': ['line-1'],
  'gate-2': ['line-1'],
  'gate-3': ['gate-1'],
};

/** @param more tables of other parts that are tried with it */
export async function openAlarms(more: { readonly schema?: readonly string[] } = {}): Promise<AlarmRig> {
  const directory = mkdtempSync(join(tmpdir(), 'gh-alarms-'));
  const clock = manualClock();
  const open = async () => {
    rig.journal = await Journal.open({ directory, clock, log: silentLog, schema: [schema, ...(more.schema ?? [])] });
    rig.alarms = createAlarms({
      journal: rig.journal,
      clock,
      site: {
        settings: () => rig.settings,
        camerasOf: (device) => (device === 'gate-east-in' ? ['camera-east-in'] : []),
        placeOf: (zone) => (zone === '' ? undefined : `小区 ${zone}`),
        boothOf: (zone) => (zone.startsWith('west') ? 'west' : ''),
        above: (device) => above[device] ?? [],
      },
    });
    rig.alarms.listen({
      escalated: (view) => rig.escalated.push(view),
      answered: (view) => rig.answered.push(view),
    });
  };
  const close = async () => {
    rig.alarms.stop();
    await rig.journal[Symbol.asyncDispose]();
  };
  const rig = {
    clock,
    settings: undefined,
    escalated: [],
    answered: [],
    settled: async () => {
      await rig.journal.append(); // the writer answers in order: what was before it is done
      await new Promise<void>((resolve) => void setImmediate(resolve));
    },
    clear: ({ device, kind }: { device: string; kind: string }) =>
      rig.alarms.clear(device, kind, undefined, 'system:rules'),
    changes: () =>
      rig.journal
        .read({ kind: ['alarm'], limit: 500 })
        .items.map(({ device, data }) => `${device} ${(data as { change: string }).change}`),
    async restart(away = 0) {
      await close();
      clock.step(away);
      await open();
    },
    async [Symbol.asyncDispose]() {
      await close();
      rmSync(directory, { recursive: true, force: true });
    },
  } as unknown as AlarmRig;
  await open();
  return rig;
}
