/** SQLite by itself with the flushing it is told to do. Arguments: directory, synchronous. */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

const [directory = '', synchronous = ''] = process.argv.slice(2);
const acks = openSync(join(directory, 'acks'), 'a');
const db = new Database(join(directory, 'bare.db'));
db.pragma('journal_mode = WAL');
db.pragma(`synchronous = ${synchronous}`);
db.exec('CREATE TABLE row (n INTEGER PRIMARY KEY)');
const insert = db.prepare('INSERT INTO row VALUES (?)');
for (let n = 1; n <= 40; n++) {
  insert.run(n);
  writeSync(acks, `${n}\n`);
}
process.exit(0);
