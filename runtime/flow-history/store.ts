/** Versions of the flows in the gateway's database, each signed over the one before it. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { FlowVersion, Status } from '../contracts/api.ts';
import type { Journal, Write } from '../journal/journal.ts';
import type { FlowPair } from './flow-file.ts';

export type FlowOrigin = FlowVersion['origin'];

/** A tab the gateway has turned off. */
export type OffFlow = NonNullable<Status['flows']['off']>[number];

export interface StoredVersion {
  readonly id: number;
  readonly at: number;
  readonly author: string;
  readonly note: string;
  readonly origin: FlowOrigin;
  readonly hash: string;
  /** Empty: no credentials. */
  readonly credentialsHash: string;
  readonly tabs: FlowVersion['tabs'];
  readonly off: OffFlow[];
  /** Signature of the version before it; empty for the first. */
  readonly before: string;
  readonly mac: string;
}

export const schema = `
CREATE TABLE IF NOT EXISTS flow_version (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, author TEXT NOT NULL, note TEXT NOT NULL, origin TEXT NOT NULL,
  hash TEXT NOT NULL, credentialsHash TEXT NOT NULL, tabs TEXT NOT NULL, "off" TEXT NOT NULL,
  "before" TEXT NOT NULL, mac TEXT NOT NULL, flows BLOB NOT NULL, credentials BLOB
) STRICT;
`;

interface Row extends Omit<StoredVersion, 'tabs' | 'off'> {
  readonly tabs: string;
  readonly off: string;
}

const FACTS = 'id, at, author, note, origin, hash, credentialsHash, tabs, "off", "before", mac';

export interface VersionStore {
  newest(): StoredVersion | undefined;
  get(id: number): StoredVersion | undefined;
  before(id: number): StoredVersion | undefined;
  list(limit: number, before?: number): StoredVersion[];
  /** What was deployed, byte for byte. */
  pair(id: number): FlowPair | undefined;
  /** Signed, and the write that keeps it, which belongs to a transaction of the caller. */
  put(version: Omit<StoredVersion, 'mac'> & { readonly pair: FlowPair }): { version: StoredVersion; write: Write };
  /** Signed by this gateway, and not changed since. */
  genuine(version: StoredVersion): boolean;
}

/** @param journal opened with {@link schema} among its schemas */
export function openStore(journal: Pick<Journal, 'db'>, key: string): VersionStore {
  const { db } = journal;
  const newest = db.prepare<[], Row>(`SELECT ${FACTS} FROM flow_version ORDER BY id DESC LIMIT 1`);
  const one = db.prepare<[number], Row>(`SELECT ${FACTS} FROM flow_version WHERE id = ?`);
  const older = db.prepare<[number, number], Row>(
    `SELECT ${FACTS} FROM flow_version WHERE id < ? ORDER BY id DESC LIMIT ?`,
  );
  const content = db.prepare<[number], { flows: Buffer; credentials: Buffer | null }>(
    'SELECT flows, credentials FROM flow_version WHERE id = ?',
  );
  const versionOf = (row: Row | undefined): StoredVersion | undefined =>
    row && { ...row, tabs: JSON.parse(row.tabs), off: JSON.parse(row.off) };
  const sign = ({ mac: _mac, ...facts }: StoredVersion): string => {
    const { id, at, author, note, origin, hash, credentialsHash, tabs, off, before } = facts;
    const body = JSON.stringify([id, at, author, note, origin, hash, credentialsHash, tabs, off, before]);
    return createHmac('sha256', key).update(body).digest('hex');
  };
  return {
    newest: () => versionOf(newest.get()),
    get: (id) => versionOf(one.get(id)),
    before: (id) => versionOf(older.get(id, 1)),
    list: (limit, before = Number.MAX_SAFE_INTEGER) => older.all(before, limit).flatMap((row) => versionOf(row) ?? []),
    pair(id) {
      const row = content.get(id);
      if (!row) return undefined;
      const flows = zstdDecompressSync(row.flows);
      return row.credentials ? { flows, credentials: zstdDecompressSync(row.credentials) } : { flows };
    },
    put({ pair, ...facts }) {
      const version = { ...facts, mac: '' };
      const signed = { ...version, mac: sign(version) };
      const { id, at, author, note, origin, hash, credentialsHash, tabs, off, before, mac } = signed;
      const packed = pair.credentials ? zstdCompressSync(pair.credentials) : null;
      return {
        version: signed,
        write: {
          sql: 'INSERT INTO flow_version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
          params: [
            ...[id, at, author, note, origin, hash, credentialsHash, JSON.stringify(tabs), JSON.stringify(off)],
            ...[before, mac, zstdCompressSync(pair.flows), packed],
          ],
        },
      };
    },
    genuine(version) {
      const wanted = Buffer.from(sign(version));
      const given = Buffer.from(version.mac);
      return wanted.length === given.length && timingSafeEqual(wanted, given);
    },
  };
}
