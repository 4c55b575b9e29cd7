/** Half a year of a compound, made up: mostly telemetry, a fifth of it facts with plates and names. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Clock } from '../../runtime/clock.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Draft, kinds, lanes } from '../../runtime/contracts/record.ts';
import { positionNumber } from '../../runtime/journal/schema.ts';
import { uuidv7 } from '../../runtime/journal/uuid.ts';

export const DEVICES = 500;
const POINTS = ['pm25', 'pm10', 'temperature', 'humidity', 'noise', 'level', 'flow', 'power'];
const FAMILIES = [...'赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜'];
const GIVEN = [...'伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉萍红玲建文辉力'];
const PROVINCES = [...'粤京沪苏浙鲁川渝湘鄂'];
/** A record every second: 15 million are 174 days. */
const STEP_MS = 1000;
export const FIRST_MS = Date.UTC(2026, 0, 1);
export const timeOf = (n: number): number => FIRST_MS + n * STEP_MS;

/** Without a pattern that an index could be lucky with. */
const mixed = (n: number, salt: number): number => {
  let x = Math.imul(n + salt, 0x9e3779b1) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0;
  return (x ^ (x >>> 13)) >>> 0;
};
const pick = (from: readonly string[], n: number): string => from[n % from.length] ?? '';
export const plateOf = (n: number): string =>
  `${pick(PROVINCES, mixed(n, 1))}${String.fromCharCode(65 + (mixed(n, 2) % 26))}${String(mixed(n, 3) % 100_000).padStart(5, '0')}`;
export const nameOf = (n: number): string =>
  pick(FAMILIES, mixed(n, 4)) + pick(GIVEN, mixed(n, 5)) + pick(GIVEN, mixed(n, 6));
export const deviceOf = (n: number): string => `device-${mixed(n, 7) % DEVICES}`;

export function draftOf(n: number): Draft {
  const device = deviceOf(n);
  const what = mixed(n, 8) % 100;
  if (what >= 20) {
    const name = pick(POINTS, mixed(n, 9));
    return { lane: 'L3', kind: 'telemetry', scenario: 'environment-monitoring', device, name, data: (n % 1000) / 10 };
  }
  const fact = (name: string, data: unknown, more: Partial<Draft> = {}): Draft => ({
    ...{ lane: 'L1', kind: 'event', scenario: 'vehicle-gate', device, name, data },
    ...more,
  });
  const plate = plateOf(n);
  if (what < 6) return fact('plate.read', { plate, trigger: 'video', confidence: 0.97, picture: `pictures/${n}.jpg` });
  if (what < 12) return fact('passage', { direction: 'in', plate, gate: device, occupiedMs: n % 4000 });
  if (what < 14) return fact('visitor.arrived', { visitor: nameOf(n), host: nameOf(n + 1), plate });
  if (what < 18) return fact('barrierState', n % 2 === 0 ? 'open' : 'closed', { kind: 'state', lane: 'L2' });
  if (n % 1000 === 0)
    return fact('arm.forced', { alarm: uuidv7(timeOf(n)), change: 'raised' }, { kind: 'alarm', lane: 'L0' });
  return fact('open', { command: uuidv7(timeOf(n)), state: 'succeeded', plate }, { kind: 'command' });
}

/** A wall clock in the time of the records: now is when record `n` comes. */
export const clockAt = (n: () => number): Clock => ({ ...systemClock, now: () => timeOf(n()) });

/** Writes records `from` up to `to` into a journal that is closed, past the journal and not durably: it only takes time. */
export function fill(directory: string, from: number, to: number): void {
  const db = new Database(join(directory, 'gatehouse.db'));
  db.pragma('synchronous = OFF');
  const last = db.prepare<[], number | null>('SELECT max(pos) FROM record').pluck().get() ?? positionNumber(1, 0);
  const insert = db.prepare('INSERT INTO record VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, 0, NULL, NULL)');
  const batch = db.transaction((first: number, end: number) => {
    for (let n = first; n < end; n++) {
      const { lane, kind, scenario, device, name, data } = draftOf(n);
      const time = timeOf(n);
      insert.run(
        last + 1 + n - from,
        uuidv7(time),
        time,
        time,
        lanes.indexOf(lane),
        kinds.indexOf(kind),
        scenario,
        device,
        name,
        JSON.stringify(data),
      );
    }
  });
  for (let n = from; n < to; n += 50_000) batch(n, Math.min(to, n + 50_000));
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
}
