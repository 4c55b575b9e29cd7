/**
 * Records as the JSON texts that receivers get, built by SQLite out of the stored columns: `data` is JSON already, so
 * nothing is parsed and written again. For threads that send much; each has a read-only connection of its own.
 */
import Database from 'better-sqlite3';
import { type Kind, kinds, type Lane, lanes, qualities } from '../contracts/record.ts';
import { positionNumber, seqOf } from './schema.ts';

export interface TextQuery {
  readonly epoch: number;
  /** Records in `(after, through]` of the epoch. */
  readonly after: number;
  readonly through: number;
  readonly lanes: readonly Lane[];
  readonly kinds?: readonly Kind[];
  readonly scenarios?: readonly string[];
  /** At most so many records. */
  readonly limit: number;
  /** Place (see `positionNumber`) beyond which records count as `fresh`. */
  readonly freshAfter: number;
}
/** The next records of a query. */
export interface Texts {
  /** JSON objects with commas between them, UTF-8; undefined if there are none. */
  readonly text: Buffer | undefined;
  readonly count: number;
  readonly fresh: number;
  /** Seq of the last record, 0 if there is none. */
  readonly last: number;
  /** When the gateway got the first of them, ms UTC. */
  readonly oldest: number | undefined;
}
export interface TextReader {
  read(query: TextQuery): Texts;
  /** The gap records about places in `(after, through]`, with commas between them; undefined if there are none. */
  gaps(query: Pick<TextQuery, 'epoch' | 'after' | 'through' | 'lanes'>): Buffer | undefined;
  /** Everything read by `action` is one state of the journal. */
  atOnce<T>(action: () => T): T;
  close(): void;
}

interface Row {
  readonly text: Buffer | null;
  readonly count: number;
  readonly fresh: number | null;
  readonly last: number | null;
  readonly oldest: number | null;
}

const clocks = ['synced', 'unsynced', 'stepped'];
const SEQ_MASK = 2 ** 40 - 1;
/** Gap records about one stretch; removals come in stretches of 20,000, so there are never nearly as many. */
const MAX_GAPS = 500;

const wordOf = (column: string, words: readonly string[], other: string): string =>
  `CASE ${column} ${words.map((word, index) => `WHEN ${index} THEN '${word}'`).join(' ')} ELSE '${other}' END`;
const optional = (column: string): string =>
  `CASE WHEN ${column} IS NULL THEN '' ELSE ',"${column}":' || json_quote(${column}) END`;

/** The same text that JSON.stringify makes of the record: same keys, same order, same escapes. */
const recordText = (gateway: string): string => {
  const form = `{"gateway":${JSON.stringify(gateway)},"epoch":%d,"seq":%d,"id":%s,"at":%d,"received":%d,"clock":"%s",\
"lane":"%s","kind":"%s","scenario":%s,"device":%s,"name":%s,"data":%s,"quality":"%s"%s%s}`;
  const values = [
    ...['pos >> 40', `pos & ${SEQ_MASK}`, 'json_quote(id)', 'at', 'received', wordOf('clock', clocks, 'unsynced')],
    ...[wordOf('lane', lanes, 'L4'), wordOf('kind', kinds, 'state')],
    ...['json_quote(scenario)', 'json_quote(device)', 'json_quote(name)', 'data', wordOf('quality', qualities, 'bad')],
    ...[optional('cause'), optional('actor')],
  ];
  return `format('${form.replaceAll("'", "''")}', ${values.join(', ')})`;
};

/** @param file of the journal */
export function openTexts(file: string, gateway: string): TextReader {
  const db = new Database(file, { readonly: true });
  const jsonText = recordText(gateway);
  const statements = new Map<string, Database.Statement<unknown[], Row>>();
  const statement = (sql: string) => {
    const known = statements.get(sql);
    if (known) return known;
    const made = db.prepare<unknown[], Row>(sql);
    statements.set(sql, made);
    return made;
  };
  const places = (values: readonly unknown[]) => values.map(() => '?').join(', ');
  return {
    read(query) {
      const { epoch, lanes: wanted, kinds: wantedKinds, scenarios, limit } = query;
      const where = ['pos > ? AND pos <= ?', `lane IN (${places(wanted)})`];
      const params: unknown[] = [positionNumber(epoch, query.after), positionNumber(epoch, query.through)];
      params.push(...wanted.map((lane) => lanes.indexOf(lane)));
      if (wantedKinds) {
        where.push(`kind IN (${places(wantedKinds)})`);
        params.push(...wantedKinds.map((kind) => kinds.indexOf(kind)));
      }
      if (scenarios) {
        where.push(`scenario IN (${places(scenarios)})`);
        params.push(...scenarios);
      }
      const row = statement(
        `SELECT CAST(group_concat(text, ',') AS BLOB) AS text, count(*) AS count, sum(pos > ?) AS fresh,
           max(pos) AS last, min(received) AS oldest
         FROM (SELECT pos, received, ${jsonText} AS text FROM record WHERE ${where.join(' AND ')} ORDER BY pos LIMIT ?)`,
      ).get(query.freshAfter, ...params, limit);
      return {
        text: row?.text ?? undefined,
        count: row?.count ?? 0,
        fresh: row?.fresh ?? 0,
        last: row?.last == null ? 0 : seqOf(row.last),
        oldest: row?.oldest ?? undefined,
      };
    },
    gaps({ epoch, after, through, lanes: wanted }) {
      const row = statement(
        `SELECT CAST(group_concat(text, ',') AS BLOB) AS text
         FROM (SELECT ${jsonText} AS text FROM record
           WHERE kind = ${kinds.indexOf('gap')} AND kind <> 0 AND data ->> '$.epoch' = ?
             AND data ->> '$.to' > ? AND data ->> '$.from' <= ? AND data ->> '$.lane' IN (${places(wanted)})
           ORDER BY pos LIMIT ${MAX_GAPS})`,
      ).get(epoch, after, through, ...wanted);
      return row?.text ?? undefined;
    },
    atOnce: (action) => db.transaction(action)(),
    close: () => void db.close(),
  };
}
