/**
 * Audit records are chained (reliability.md AU1, AU2): each has a code made with a key outside the database over itself and
 * the code before it, committed with it. Altered, removed or slipped-in records are found, and named by their number.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { formatPosition, kinds } from '../contracts/record.ts';
import { writeDurably } from './identity.ts';
import { epochOf, seqOf } from './schema.ts';
import type { Row } from './writer.ts';

const AUDIT = kinds.indexOf('audit');
const KEY_BYTES = 32;
const GENESIS = Buffer.alloc(32);

/**
 * `audit_mark` is where the chain begins: its start, or the last record retention has removed, signed. `audit_open` has a
 * row only inside a transaction of the writer that removes records.
 */
const chainSchema = `
CREATE TABLE IF NOT EXISTS audit_chain (pos INTEGER PRIMARY KEY, mac BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS audit_mark (
  pos INTEGER PRIMARY KEY, mac BLOB NOT NULL, removed INTEGER NOT NULL, signature BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS audit_open (one INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_kept BEFORE DELETE ON record
  WHEN old.kind = ${AUDIT} AND NOT EXISTS (SELECT 1 FROM audit_open)
  BEGIN SELECT RAISE(ABORT, 'audit records are never removed but by retention'); END;
CREATE TRIGGER IF NOT EXISTS audit_counted AFTER DELETE ON record WHEN old.kind = ${AUDIT}
  BEGIN UPDATE audit_open SET last = max(last, old.pos), count = count + 1; END;
CREATE TRIGGER IF NOT EXISTS audit_same BEFORE UPDATE ON record WHEN old.kind = ${AUDIT} OR new.kind = ${AUDIT}
  BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
CREATE TRIGGER IF NOT EXISTS audit_chain_same BEFORE UPDATE ON audit_chain
  BEGIN SELECT RAISE(ABORT, 'the audit chain is never changed'); END;
CREATE TRIGGER IF NOT EXISTS audit_chain_kept BEFORE DELETE ON audit_chain WHEN NOT EXISTS (SELECT 1 FROM audit_open)
  BEGIN SELECT RAISE(ABORT, 'the audit chain is never removed but by retention'); END;
`;

const keyFile = (directory: string): string => join(directory, 'secrets', 'audit.key');

/** The key of this gateway's chain, made at first use. It is in the archives: a restored gateway goes on with its chain. */
export function auditKey(directory: string): Buffer {
  const file = keyFile(directory);
  if (!existsSync(file)) {
    mkdirSync(join(directory, 'secrets'), { recursive: true, mode: 0o700 });
    writeDurably(file, randomBytes(KEY_BYTES).toString('base64url'));
  }
  return Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url');
}

const hasKey = (directory: string): boolean => existsSync(keyFile(directory));

const macOf = (key: Uint8Array, before: Uint8Array, values: readonly unknown[]): Buffer =>
  createHmac('sm3', key).update(before).update(JSON.stringify(values)).digest();

interface Mark {
  readonly pos: number;
  readonly mac: Buffer;
  readonly removed: number;
  readonly signature: Buffer;
}
const signatureOf = (key: Uint8Array, { pos, mac, removed }: Omit<Mark, 'signature'>): Buffer =>
  macOf(key, mac, ['mark', pos, removed]);

export interface Chain {
  /** Chains a row of the transaction that is open; others than audit records are left alone. */
  add(pos: number, row: Row): void;
  /** Runs a statement that may remove records of any kind, and leaves a signed mark for the audit records among them. */
  removing(statement: () => void): void;
  /** The transaction or a part of it was undone. */
  reload(): void;
}

/** For the writer alone: makes the tables, and begins the chain where it has not begun. */
export function openChain(db: Database.Database, key: Uint8Array): Chain {
  db.exec(chainSchema);
  const last = db.prepare<[], { mac: Buffer }>('SELECT mac FROM audit_chain ORDER BY pos DESC LIMIT 1');
  const lastMark = db.prepare<[], Mark>('SELECT * FROM audit_mark ORDER BY pos DESC LIMIT 1');
  const put = db.prepare<[number, Uint8Array]>('INSERT INTO audit_chain VALUES (?, ?)');
  const putMark = db.prepare<[number, Uint8Array, number, Uint8Array]>('INSERT INTO audit_mark VALUES (?, ?, ?, ?)');
  const dropMarks = db.prepare<[number]>('DELETE FROM audit_mark WHERE pos < ?');
  const open = db.prepare('INSERT INTO audit_open VALUES (1, 0, 0)');
  const opened = db.prepare<[], { last: number; count: number }>('SELECT last, count FROM audit_open');
  const close = db.prepare('DELETE FROM audit_open');
  const macAt = db.prepare<[number], { mac: Buffer }>(
    'SELECT mac FROM audit_chain WHERE pos <= ? ORDER BY pos DESC LIMIT 1',
  );
  const dropChain = db.prepare<[number]>('DELETE FROM audit_chain WHERE pos <= ?');
  const mark = (pos: number, mac: Buffer, removed: number) =>
    putMark.run(pos, mac, removed, signatureOf(key, { pos, mac, removed }));
  if (!lastMark.get()) {
    // Records of a version without a chain are before it.
    const before = db.prepare<[number], { pos: number | null }>('SELECT max(pos) AS pos FROM record WHERE kind = ?');
    mark(before.get(AUDIT)?.pos ?? 0, GENESIS, 0);
  }
  const read = (): Buffer => last.get()?.mac ?? lastMark.get()?.mac ?? GENESIS;
  let before = read();
  return {
    add(pos, row) {
      if (row[5] !== AUDIT) return;
      before = macOf(key, before, [pos, ...row]);
      put.run(pos, before);
    },
    removing(statement) {
      open.run();
      statement();
      const { last: through, count } = opened.get() ?? { last: 0, count: 0 };
      const known = lastMark.get();
      if (count > 0 && through > (known?.pos ?? 0)) {
        mark(through, macAt.get(through)?.mac ?? known?.mac ?? GENESIS, (known?.removed ?? 0) + count);
        dropMarks.run(through);
        dropChain.run(through);
      }
      close.run();
    },
    reload() {
      before = read();
    },
  };
}

export interface AuditFault {
  /** Place of the record, `epoch:seq`. */
  readonly place: string;
  readonly fault: 'altered' | 'missing' | 'unchained' | 'mark';
}
export interface AuditVerdict {
  /** Records that were held against the chain. */
  readonly checked: number;
  /** Removed by retention before the chain of today begins. */
  readonly removed: number;
  /** At most a hundred, the first ones. */
  readonly faults: readonly AuditFault[];
}

const MAX_FAULTS = 100;
const SELECT = `SELECT c.pos AS chained, c.mac, r.* FROM audit_chain c LEFT JOIN record r ON r.pos = c.pos AND r.kind = ${AUDIT}
  WHERE c.pos > ? ORDER BY c.pos`;
const UNCHAINED = `SELECT pos FROM record WHERE kind = ${AUDIT} AND pos > ?
  AND pos NOT IN (SELECT pos FROM audit_chain) ORDER BY pos LIMIT ${MAX_FAULTS}`;

interface ChainedRow {
  readonly chained: number;
  readonly mac: Buffer;
  readonly pos: number | null;
}

/**
 * Holds every audit record against the chain.
 * @param tail only so many of the last ones
 * @returns undefined if there is no chain yet, or no key to check it with
 */
export function verifyAudit(db: Database.Database, directory: string, tail?: number): AuditVerdict | undefined {
  const table = db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'audit_mark'`).get();
  if (!table || !hasKey(directory)) return undefined;
  const key = auditKey(directory);
  const faults: AuditFault[] = [];
  const note = (pos: number, fault: AuditFault['fault']) => {
    if (faults.length < MAX_FAULTS) faults.push({ place: placeOf(pos), fault });
  };
  const mark = db.prepare<[], Mark>('SELECT * FROM audit_mark ORDER BY pos DESC LIMIT 1').get();
  if (!mark || !timingSafeEqual(mark.signature, signatureOf(key, mark))) note(mark?.pos ?? 0, 'mark');
  let from = mark?.pos ?? 0;
  let before: Buffer = mark?.mac ?? GENESIS;
  if (tail !== undefined) {
    const first = db
      .prepare<[number], { pos: number; mac: Buffer }>(
        'SELECT pos, mac FROM audit_chain ORDER BY pos DESC LIMIT 1 OFFSET ?',
      )
      .get(tail);
    if (first) ({ pos: from, mac: before } = first);
  }
  let checked = 0;
  for (const row of db.prepare<[number], ChainedRow & Record<string, unknown>>(SELECT).iterate(from)) {
    checked++;
    if (row.pos === null) note(row.chained, 'missing');
    else {
      const { chained: _chained, mac: _mac, ...values } = row;
      if (!timingSafeEqual(macOf(key, before, Object.values(values)), row.mac)) note(row.chained, 'altered');
    }
    before = row.mac; // the next is judged by what stands here, so that one fault is one fault
  }
  for (const { pos } of db.prepare<[number], { pos: number }>(UNCHAINED).all(from)) note(pos, 'unchained');
  return { checked, removed: mark?.removed ?? 0, faults };
}

/** The whole chain of a data directory, whose gateway may be running. @returns undefined if there is none */
export function verifyAuditFile(directory: string): AuditVerdict | undefined {
  const file = join(directory, 'gatehouse.db');
  if (!existsSync(file)) return undefined;
  const db = new Database(file, { readonly: true });
  try {
    return verifyAudit(db, directory);
  } finally {
    db.close();
  }
}

/** The newest link of the chain, as it goes upstream. */
export function auditHead(db: Database.Database): { place: string; mac: string } | undefined {
  const row = db
    .prepare<[], { pos: number; mac: Buffer }>('SELECT pos, mac FROM audit_chain ORDER BY pos DESC LIMIT 1')
    .get();
  return row && { place: placeOf(row.pos), mac: row.mac.toString('hex') };
}

const placeOf = (pos: number): string => formatPosition({ epoch: epochOf(pos), seq: seqOf(pos) });
