import type { DeviceView } from '../../contracts/api.ts';
import type { Scalar } from '../../contracts/contract.ts';
import type { JournalRecord } from '../../contracts/record.ts';

export type DeviceBook = ReadonlyMap<string, DeviceView>;

export const devicesFrom = (items: readonly DeviceView[]): DeviceBook => new Map(items.map((item) => [item.id, item]));

/** Folds readings and link states. @returns The same book when nothing changed. */
export function foldDevices(book: DeviceBook, records: readonly JournalRecord[]): DeviceBook {
  let next: Map<string, DeviceView> | undefined;
  for (const record of records) {
    const device = (next ?? book).get(record.device);
    if (!device) continue;
    const changed = changedBy(device, record);
    if (!changed) continue;
    next ??= new Map(book);
    next.set(device.id, changed);
  }
  return next ?? book;
}

function changedBy(device: DeviceView, record: JournalRecord): DeviceView | undefined {
  if (record.kind === 'telemetry') {
    const was = device.points[record.name];
    if (was && was.received > record.received) return undefined;
    const point = {
      value: isScalar(record.data) ? record.data : null,
      at: record.at,
      received: record.received,
      quality: record.quality,
    };
    return { ...device, points: { ...device.points, [record.name]: point } };
  }
  if (record.kind === 'state' && record.name === 'link') {
    const { state, reason } = record.data as { state?: unknown; reason?: unknown };
    if (state !== 'online' && state !== 'offline') return undefined;
    return {
      ...device,
      link: { state, since: record.received, ...(typeof reason === 'string' ? { reason } : {}) },
    };
  }
  return undefined;
}

const isScalar = (value: unknown): value is Scalar =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

/** True if a record says that the inventory itself changed: the list has to be read again. */
export const changesInventory = (record: JournalRecord): boolean =>
  record.kind === 'audit' && /^inventory\.(device|zone|site)\b/.test(record.name);

/** A value that may be shown as now: the device answers and the reading is good. */
export const isFresh = (device: DeviceView, point: string): boolean =>
  device.link.state === 'online' && device.points[point]?.quality === 'good';

export function deviceCounts(book: DeviceBook): { online: number; total: number } {
  let online = 0;
  for (const device of book.values()) if (device.link.state === 'online') online += 1;
  return { online, total: book.size };
}
