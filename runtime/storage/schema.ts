/** What the storage part keeps beside the records. */
import type { Kind, Lane } from '../contracts/record.ts';

/** Positions counted together; a power of two, so that no block spans two epochs. */
export const BLOCK = 4096;

/**
 * What goes together: the lanes, and apart from them the records about the journal itself, which are kept longer. The
 * number is stored.
 */
export const classes = ['L0', 'L1', 'L2', 'L3', 'L4', 'proof'] as const;
export type Class = (typeof classes)[number];
export const proofKinds: readonly Kind[] = ['audit', 'gap', 'epoch'];
/** Gap records of proofs name the lane they were written in. */
export const laneOf = (of: Class): Lane => (of === 'proof' ? 'L0' : of);
/** The class of a row of table `record`. */
export const CLASS_SQL = 'CASE WHEN kind IN (5, 6, 7) THEN 5 ELSE lane END';

/** What a row of table `record` must be to be of a class. */
export const isClass = (of: Class): string =>
  of === 'proof' ? 'kind IN (5, 6, 7)' : `lane = ${classes.indexOf(of)} AND kind NOT IN (5, 6, 7)`;
/** Content of a row, without what SQLite puts around it. */
export const BYTES_SQL = `octet_length(id) + octet_length(scenario) + octet_length(device) + octet_length(name)
  + octet_length(data) + ifnull(octet_length(cause), 0) + ifnull(octet_length(actor), 0)`;
/** Rows removed by one transaction (reliability.md B4). */
export const BATCH_ROWS = 500;
/** Removes the rows at the positions of a JSON list. */
export const REMOVE_SQL = 'DELETE FROM record WHERE pos IN (SELECT value FROM json_each(?))';

export const reasons = ['thinned', 'space', 'retention'] as const;
export type Reason = (typeof reasons)[number];

export const schema = `
CREATE TABLE IF NOT EXISTS storage_block (
  class INTEGER NOT NULL,
  block INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  since INTEGER,
  until INTEGER,
  PRIMARY KEY (class, block)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS storage_mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS storage_drop (
  class INTEGER NOT NULL,
  reason TEXT NOT NULL,
  target TEXT NOT NULL,
  rows INTEGER NOT NULL,
  PRIMARY KEY (class, reason, target)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS storage_rate (
  hour INTEGER NOT NULL,
  class INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  ms INTEGER NOT NULL,
  PRIMARY KEY (hour, class)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS removal (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  class INTEGER NOT NULL,
  reason TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  kept TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS rollup_point (
  id INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (device, name)
) STRICT;
CREATE TABLE IF NOT EXISTS rollup (
  hour INTEGER NOT NULL,
  point INTEGER NOT NULL,
  count INTEGER NOT NULL,
  numbers INTEGER NOT NULL,
  low REAL,
  high REAL,
  sum REAL NOT NULL,
  last TEXT NOT NULL,
  PRIMARY KEY (hour, point)
) WITHOUT ROWID, STRICT;
`;
