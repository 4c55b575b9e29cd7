/**
 * A database whose first page is gone: the page is made again in a copy, from the pages it pointed to, so that the tables
 * behind it can be read. Good for reading only. https://www.sqlite.org/fileformat2.html, sections 1.3 and 1.6.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { type FoundRow, openPages, type Pages } from './pages.ts';
import { APPLICATION_ID, PAGE_BYTES, SCHEMA_VERSION } from './schema.ts';

const HEAD = 100;
const INNER = 5;
const LEAF = 13;
/** Where the list of tables is looked for: it is made early in a file's life. */
const LOOK_PAGES = (64 << 20) / PAGE_BYTES;
const SPARE_BYTES = 256 << 20;

/**
 * Copies a database and its WAL to `target` with a first page that can be read.
 * @returns false if the page could not be made again; there may be a copy all the same
 */
export function repairHead(file: string, target: string): boolean {
  const { bavail, bsize } = statfsSync(file.slice(0, file.lastIndexOf('/')));
  if (statSync(file).size + SPARE_BYTES > bavail * bsize) return false;
  copyFileSync(file, target, constants.COPYFILE_FICLONE);
  if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${target}-wal`);
  const pages = openPages(target);
  const handle = openSync(target, 'r+');
  try {
    const first = Buffer.alloc(PAGE_BYTES);
    readSync(handle, first, 0, PAGE_BYTES, 0);
    const tree = treeStands(first, pages.count) ? first : innerPage(schemaLeaves(pages));
    if (!tree) return false;
    header(pages.count).copy(tree);
    writeSync(handle, tree, 0, PAGE_BYTES, 0);
    fsyncSync(handle);
    return true;
  } finally {
    closeSync(handle);
    pages.close();
  }
}

/** Only the file's header is gone, the page behind it makes sense. */
function treeStands(page: Buffer, count: number): boolean {
  const type = page[HEAD];
  const cells = page.readUInt16BE(HEAD + 3);
  if (type === LEAF) return cells > 0;
  return type === INNER && cells > 0 && cells < 400 && page.readUInt32BE(HEAD + 8) <= count;
}

interface Leaf {
  readonly page: number;
  readonly low: number;
  readonly high: number;
}

/** Pages that list tables, in order; none if two of them claim the same place and it is not clear which is today's. */
function schemaLeaves(pages: Pages): Leaf[] {
  const leaves: Leaf[] = [];
  for (let page = 2; page <= Math.min(pages.count, LOOK_PAGES); page++) {
    const { rows } = pages.rows(page);
    if (rows.length === 0 || !rows.every(isSchemaRow)) continue;
    const ids = rows.map(({ rowid }) => rowid);
    leaves.push({ page, low: Math.min(...ids), high: Math.max(...ids) });
  }
  leaves.sort((a, b) => a.low - b.low);
  return leaves.some((leaf, index) => leaf.low <= (leaves[index - 1]?.high ?? 0)) ? [] : leaves;
}

function isSchemaRow({ cells }: FoundRow): boolean {
  const [type, name, table, root, sql] = cells;
  return (
    cells.length === 5 &&
    ['table', 'index', 'trigger', 'view'].includes(String(type)) &&
    typeof name === 'string' &&
    typeof table === 'string' &&
    typeof root === 'number' &&
    (sql === null || (typeof sql === 'string' && sql.startsWith('CREATE ')))
  );
}

/** An inner page over the leaves; keys stay below 128, one byte each, as a schema of ours is small. */
function innerPage(leaves: readonly Leaf[]): Buffer | undefined {
  const last = leaves.at(-1);
  if (!last || last.high > 127 * 128) return undefined;
  const page = Buffer.alloc(PAGE_BYTES);
  const inner = leaves.slice(0, -1);
  let at = PAGE_BYTES;
  for (const [index, { page: child, high }] of inner.entries()) {
    const key = high < 128 ? Buffer.from([high]) : Buffer.from([0x80 | (high >> 7), high & 0x7f]);
    at -= 4 + key.length;
    page.writeUInt32BE(child, at);
    key.copy(page, at + 4);
    page.writeUInt16BE(at, HEAD + 12 + 2 * index);
  }
  page[HEAD] = INNER;
  page.writeUInt16BE(inner.length, HEAD + 3);
  page.writeUInt16BE(at, HEAD + 5);
  page.writeUInt32BE(last.page, HEAD + 8);
  return page;
}

function header(count: number): Buffer {
  const head = Buffer.alloc(HEAD);
  head.write('SQLite format 3\0', 'latin1');
  head.writeUInt16BE(PAGE_BYTES, 16);
  head.set([2, 2, 0, 64, 32, 32], 18);
  head.writeUInt32BE(1, 24); // change counter, and the version the page count below is valid for
  head.writeUInt32BE(count, 28);
  head.writeUInt32BE(1, 40);
  head.writeUInt32BE(4, 44);
  head.writeUInt32BE(1, 56); // UTF-8
  head.writeUInt32BE(SCHEMA_VERSION, 60);
  head.writeUInt32BE(APPLICATION_ID, 68);
  head.writeUInt32BE(1, 92);
  return head;
}
