/** What the sources of linkages say now, and which places that triggers. A source that falls silent says nothing new (F6). */
import type { Scalar } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import { linkages } from '../contracts/linkages.ts';
import { judge } from '../rules/conditions.ts';
import type { LinkedDevice, Place } from './places.ts';

const key = (device: string, alarm: string) => `${device}\n${alarm}`;

/** Alarms that trigger something, by scenario and the point that raises them. */
const watched = new Map<string, string[]>();
for (const { scenario, alarm } of linkages.flatMap(({ triggers }) => triggers)) {
  const point = scenarioOf(scenario)?.alarms[alarm]?.when?.point;
  if (point === undefined) throw new Error(`No reading raises ${scenario} ${alarm}`);
  const id = `${scenario}/${point}`;
  const known = watched.get(id) ?? [];
  if (!known.includes(alarm)) watched.set(id, [...known, alarm]);
}

/** Alarms of a device that this point of it raises and ends. */
export const alarmsOf = (scenario: string, point: string): readonly string[] =>
  watched.get(`${scenario}/${point}`) ?? [];

export function createSignals(settingsOf: (device: string) => Readonly<Record<string, Scalar>>) {
  const on = new Set<string>();

  const isOn = (device: LinkedDevice, alarm: string) => on.has(key(device.id, alarm));
  return {
    /** @returns true if a signal came or went. */
    read(device: Pick<LinkedDevice, 'id' | 'scenario'>, point: string, value: Scalar): boolean {
      let changed = false;
      for (const alarm of alarmsOf(device.scenario, point)) {
        const when = scenarioOf(device.scenario)?.alarms[alarm]?.when;
        if (!when) continue;
        const verdict = judge(when, value, settingsOf(device.id)[alarm]);
        const id = key(device.id, alarm);
        if (verdict === 'hold' || (verdict === 'on') === on.has(id)) continue;
        changed = true;
        if (verdict === 'on') on.add(id);
        else on.delete(id);
      }
      return changed;
    },
    /** The devices that trigger it, with their alarm; empty: nothing does. */
    triggering({ linkage, sources }: Place): { device: LinkedDevice; alarm: string }[] {
      return linkage.triggers.flatMap(({ scenario, alarm, devices = 1 }) => {
        const saying = sources.filter((device) => device.scenario === scenario && isOn(device, alarm));
        return saying
          .filter(({ zone }) => saying.filter((one) => one.zone === zone).length >= devices)
          .map((device) => ({ device, alarm }));
      });
    },
  };
}
export type Signals = ReturnType<typeof createSignals>;
