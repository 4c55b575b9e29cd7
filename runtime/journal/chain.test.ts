import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Draft } from '../contracts/record.ts';
import { silentLog } from '../log.ts';
import { verifyAudit } from './chain.ts';
import { Journal } from './journal.ts';
import { positionNumber } from './schema.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gh-chain-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const notes = 'CREATE TABLE IF NOT EXISTS note (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;';
const open = () => Journal.open({ directory, clock: systemClock, log: silentLog, schema: [notes] });
const audit = (n: number): Draft => ({
  ...{ lane: 'L0', kind: 'audit', scenario: 'gateway', device: '', name: 'user.changed', actor: 'user:chen' },
  data: { n },
});
const event = (n: number): Draft => ({ ...audit(n), lane: 'L1', kind: 'event', name: 'passage' });

/** Records 2 to 21: audit records, and an event after each. */
async function fill(): Promise<void> {
  await using journal = await open();
  for (let n = 0; n < 10; n++) await journal.append(audit(n), event(n));
}
function verify(tail?: number) {
  const db = new Database(join(directory, 'gatehouse.db'), { readonly: true });
  try {
    return verifyAudit(db, directory, tail);
  } finally {
    db.close();
  }
}
/** What somebody with the database in his hands could do: the triggers are no obstacle to him. */
function tamper(sql: string, ...params: unknown[]): void {
  const db = new Database(join(directory, 'gatehouse.db'));
  try {
    for (const trigger of ['audit_kept', 'audit_counted', 'audit_same', 'audit_chain_same', 'audit_chain_kept'])
      db.exec(`DROP TRIGGER ${trigger}`);
    db.prepare(sql).run(...params);
  } finally {
    db.close();
  }
}
const pos = (seq: number) => positionNumber(1, seq);

describe('AU1 the chain', () => {
  test('holds over restarts, refused units and large batches', async () => {
    await fill();
    {
      await using journal = await open();
      const put = { sql: 'INSERT INTO note VALUES (?, ?)', params: ['same', 'x'] };
      const results = await Promise.allSettled([
        journal.commit({ records: [audit(1)], writes: [put] }),
        journal.commit({ records: [audit(2), audit(3)], writes: [put] }),
        journal.append(...Array.from({ length: 300 }, (_, n) => audit(n))),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    }
    expect(verify()).toEqual({ checked: 311, removed: 0, faults: [] });
    expect(verify(100)).toEqual({ checked: 100, removed: 0, faults: [] });
  });

  test.each<[string, string, unknown[], string, string]>([
    ['an altered value', 'UPDATE record SET data = ? WHERE pos = ?', ['{"n":99}', pos(6)], '1:6', 'altered'],
    ['an altered actor', 'UPDATE record SET actor = ? WHERE pos = ?', ['user:li', pos(8)], '1:8', 'altered'],
    ['an altered time', 'UPDATE record SET at = at + ? WHERE pos = ?', [1, pos(20)], '1:20', 'altered'],
    ['a record taken away', 'DELETE FROM record WHERE pos = ?', [pos(10)], '1:10', 'missing'],
    ['one turned into an event', 'UPDATE record SET kind = 1 WHERE pos = ?', [pos(10)], '1:10', 'missing'],
    ['the first one taken away', 'DELETE FROM record WHERE pos = ?', [pos(2)], '1:2', 'missing'],
    ['one slipped in', 'UPDATE record SET kind = 5 WHERE pos = ?', [pos(7)], '1:7', 'unchained'],
    ['its code removed as well', 'DELETE FROM audit_chain WHERE pos = ?', [pos(10)], '1:12', 'altered'],
    ['the beginning moved', 'UPDATE audit_mark SET pos = ?', [pos(9)], '1:9', 'mark'],
  ])('AU3 names %s by its number', async (_what, sql, params, place, fault) => {
    await fill();
    expect(verify()?.faults).toEqual([]);
    tamper(sql, ...params);
    expect(verify()?.faults).toContainEqual({ place, fault });
    await using journal = await open(); // and a start does not mend it
    await journal.append(audit(1));
    expect(verify()?.faults).toContainEqual({ place, fault });
  });

  test('another key convinces nobody', async () => {
    await fill();
    writeFileSync(join(directory, 'secrets', 'audit.key'), Buffer.alloc(32, 1).toString('base64url'));
    expect(verify()?.faults.length).toBe(11);
    expect(readFileSync(join(directory, 'gatehouse.db')).includes(Buffer.alloc(32, 1))).toBe(false);
  });
});

describe('AU2 append only', () => {
  test.each([
    `UPDATE record SET data = '1' WHERE kind = 5`,
    'DELETE FROM record WHERE kind = 5',
    'DELETE FROM audit_chain',
    `UPDATE audit_chain SET mac = x'00'`,
  ])('%s is refused', async (sql) => {
    await fill();
    const db = new Database(join(directory, 'gatehouse.db'));
    expect(() => db.exec(sql)).toThrow('never');
    db.exec('DELETE FROM record WHERE kind = 1'); // others are nobody's business here
    db.close();
    expect(verify()?.faults).toEqual([]);
  });

  test('retention removes from the beginning and leaves a signed mark; the rest still proves itself', async () => {
    await fill();
    {
      await using journal = await open();
      await journal.commit({ writes: [{ sql: 'DELETE FROM record WHERE pos <= ?', params: [pos(9)] }] });
      await journal.commit({ writes: [{ sql: 'DELETE FROM record WHERE pos <= ?', params: [pos(14)] }] });
      await journal.append(audit(1));
    }
    expect(verify()).toEqual({ checked: 4, removed: 7, faults: [] });
    tamper('UPDATE audit_mark SET removed = ?', 6);
    expect(verify()?.faults).toEqual([{ place: '1:14', fault: 'mark' }]);
  });

  test('records of a version without a chain are before it, and later ones are chained', async () => {
    await fill();
    const db = new Database(join(directory, 'gatehouse.db'));
    for (const trigger of ['audit_kept', 'audit_counted', 'audit_same', 'audit_chain_same', 'audit_chain_kept'])
      db.exec(`DROP TRIGGER ${trigger}`);
    for (const table of ['audit_chain', 'audit_mark', 'audit_open']) db.exec(`DROP TABLE ${table}`);
    db.close();
    await using journal = await open();
    await journal.append(audit(1), audit(2));
    expect(verify()).toEqual({ checked: 2, removed: 0, faults: [] });
  });
});
