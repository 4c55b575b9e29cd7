/** The storage alarms in the words of the gateway's contract. */
import type { StorageAlarm } from './space.ts';

/** What the alarm part needs: its own types stay its own. */
export interface AlarmPort {
  raise(input: {
    device: string;
    scenario: string;
    zone: string;
    kind: string;
    data: object;
    actor: string;
    weight?: { priority: number; severity: 'critical' | 'major' | 'minor' };
  }): Promise<unknown>;
  clear(device: string, kind: string, cause: string | undefined, actor: string): Promise<unknown>;
}

const ACTOR = 'system:storage';
const weights = [
  { priority: 3, severity: 'minor' },
  { priority: 2, severity: 'major' },
  { priority: 1, severity: 'critical' },
] as const;

/** Raised at 80, grows worse at 90 and 95 %, and is over when there is room again. */
export const reportTo =
  (alarms: AlarmPort) =>
  ({ kind, level, data }: StorageAlarm): Promise<unknown> => {
    const weight = weights[level - 1];
    if (!weight) return alarms.clear('', kind, undefined, ACTOR);
    return alarms.raise({ device: '', scenario: 'gateway', zone: '', kind, data, actor: ACTOR, weight });
  };
