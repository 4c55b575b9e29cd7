/** How long the line may be down, for the command line: from the database alone, the gateway may run beside it or not. */
import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { GatehouseError } from '../errors.ts';
import { PAGE_BYTES } from '../journal/schema.ts';
import { forecast, HORIZON_HOURS, type Outage } from './forecast.ts';
import { roomBytes, THIN_TO } from './levels.ts';
import { measuredFrom } from './measure.ts';
import { type OutagePhrase, words } from './outage-text.words.ts';
import { type RateRow, rateSql, ratesOf } from './rates.ts';
import { usualPacking } from './rehearsal.ts';
import { createScan } from './scan.ts';
import { settingsFrom } from './settings.ts';

const HOURS_PER_DAY = 24;
const GB = 2 ** 30;

/** What the gateway measured, and what follows from it. */
export interface OutageReport {
  readonly outage: Outage;
  readonly usedBytes: number;
  readonly roomBytes: number;
  /** Records that come in a day. */
  readonly perDay: number;
  /** Hours it was measured over. */
  readonly measuredHours: number;
}

/** @throws GatehouseError `config.invalid` if there is no database, or one without measurements */
export function outageReport(dataDir: string): OutageReport {
  const file = join(dataDir, 'gatehouse.db');
  if (!existsSync(file))
    throw new GatehouseError('config.invalid', `${dataDir} has no gatehouse.db: name the data directory`);
  const db = new Database(file, { readonly: true });
  try {
    const mark = db.prepare<[string], number>('SELECT value FROM storage_mark WHERE name = ?').pluck();
    const scan = createScan(db, THIN_TO);
    const freeBytes = (db.pragma('freelist_count', { simple: true }) as number) * PAGE_BYTES;
    const usedBytes = (db.pragma('page_count', { simple: true }) as number) * PAGE_BYTES - freeBytes;
    const { blocks, bavail, bsize } = statfsSync(dataDir);
    const capBytes = mark.get('cap') ?? (blocks * bsize) / 2;
    const room = roomBytes({ usedBytes, freeBytes, capBytes, diskFreeBytes: bavail * bsize });
    const rates = ratesOf(db.prepare<[number], RateRow>(rateSql.read).all(0));
    const cursors = db.prepare<[], number>("SELECT pos FROM cursor WHERE name LIKE 'uplink:%'").pluck().all();
    const now = Date.now();
    const thinned = mark.get('thinned') ?? 0;
    const head = db.prepare<[], number>('SELECT max(pos) FROM record').pluck().get() ?? 0;
    const survey = {
      roomBytes: room,
      usedBytes,
      rates: rates.day,
      stored: scan.stored(),
      parts: scan.parts(thinned, Math.min(...cursors, Number.MAX_SAFE_INTEGER), now),
      packing: scan.rehearsal(thinned + 1, head)?.packing ?? usualPacking,
      figures: scan.figures(),
      settings: settingsFrom(),
      clockTrusted: true,
      alone: cursors.length === 0,
    };
    return {
      outage: forecast(measuredFrom(survey)),
      usedBytes,
      roomBytes: room,
      perDay: Object.values(rates.day).reduce((sum, rate) => sum + rate, 0) * HOURS_PER_DAY,
      measuredHours: rates.hours,
    };
  } finally {
    db.close();
  }
}

/** The report in words, Chinese line first, English below. @throws as {@link outageReport} */
export function outageText(dataDir: string): string {
  const report = outageReport(dataDir);
  const lines: string[] = [];
  const say = (phrase: OutagePhrase, fill: Readonly<Record<string, string>>) => {
    for (const language of ['zh', 'en'] as const) {
      lines.push(words[phrase][language].replaceAll(/\{(\w+)\}/g, (_, name: string) => fill[name] ?? ''));
    }
  };
  const size = (bytes: number) => (bytes / GB).toFixed(2);
  say('disk', {
    used: size(report.usedBytes),
    room: size(report.roomBytes),
    perDay: String(Math.round(report.perDay)),
    hours: report.measuredHours.toFixed(1),
  });
  if (report.perDay === 0) say('unmeasured', {});
  else {
    for (const lane of ['L3', 'L2', 'L1'] as const) sayLane(lane);
  }
  say('L0', {});
  return lines.join('\n');

  function sayLane(lane: 'L3' | 'L2' | 'L1'): void {
    const hours = report.outage[lane];
    if (hours === undefined) say(`${lane}Never`, { years: String(Math.round(HORIZON_HOURS / (366 * HOURS_PER_DAY))) });
    else say(lane, { hours: hours.toFixed(1), days: (hours / HOURS_PER_DAY).toFixed(1) });
  }
}
