/** The tables of the journal itself. Enumerations are stored as their place in the contract's list. */

import { postingsSchema } from './postings.ts';

/** 'GATE' in ASCII: tells our file from any other SQLite database. */
export const APPLICATION_ID = 0x47415445;
export const SCHEMA_VERSION = 5;
export const PAGE_BYTES = 4096;

/**
 * One integer orders all records: epoch in the upper bits, seq in the lower 40. It stays below 2^53 up to epoch 8191, so
 * it is exact as a JavaScript number.
 */
const SEQ_SPAN = 2 ** 40;
export const positionNumber = (epoch: number, seq: number): number => epoch * SEQ_SPAN + seq;
export const epochOf = (position: number): number => Math.floor(position / SEQ_SPAN);
export const seqOf = (position: number): number => position % SEQ_SPAN;

/**
 * Each index costs every commit, so there are two, for facts only. Everything else is searched by postings made behind the
 * write (postings.ts); times rise with positions but where the clock was set back.
 */
export const journalSchema = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS record (
  pos INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  at INTEGER NOT NULL,
  received INTEGER NOT NULL,
  clock INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  scenario TEXT NOT NULL,
  device TEXT NOT NULL,
  name TEXT NOT NULL,
  data TEXT NOT NULL,
  quality INTEGER NOT NULL,
  cause TEXT,
  actor TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS record_kind ON record (kind, pos) WHERE kind <> 0;
CREATE INDEX IF NOT EXISTS record_cause ON record (cause) WHERE cause IS NOT NULL;
CREATE TABLE IF NOT EXISTS latest (
  device TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  at INTEGER NOT NULL,
  received INTEGER NOT NULL,
  quality INTEGER NOT NULL,
  PRIMARY KEY (device, name)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, pos INTEGER NOT NULL) WITHOUT ROWID, STRICT;
${postingsSchema}`;

/** Durability is not a default: it is set on every connection that writes (reliability.md R1). */
export const WRITER_PRAGMAS = [
  'journal_mode = WAL',
  'synchronous = FULL',
  'wal_autocheckpoint = 0',
  'foreign_keys = ON',
  // What is deleted is overwritten where its page is written anyway: a secret that was replaced is not left behind.
  'secure_delete = FAST',
];
