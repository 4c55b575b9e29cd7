/** Notices to booths, roles and screens: one record when sent, one for each person who has read it. */
import type { Clock } from '../clock.ts';
import type { Role } from '../contracts/contract.ts';
import type { NoticeInput, NoticeView } from '../contracts/duty.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Once } from '../journal/once.ts';
import { uuidv7 } from '../journal/uuid.ts';
import { createPace } from './pace.ts';

export const schema = `
CREATE TABLE IF NOT EXISTS notice (id TEXT PRIMARY KEY, at INTEGER NOT NULL, view TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS notice_at ON notice (at);
CREATE TABLE IF NOT EXISTS notice_read (
  notice TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (notice, name)
) WITHOUT ROWID, STRICT;
`;
const KEPT_MS = 183 * 86_400_000;
/** More than anybody reads. */
const PER_MINUTE = 30;
/** Older ones are in the journal. */
const LOOKED_THROUGH = 500;

export interface NoticeQuery {
  /** Whose eyes: administrators, auditors and flows see every notice, others what is for their role. */
  readonly role: Role | 'flow';
  /** Zone of the booth that asks. */
  readonly booth?: string;
  /** Only those this person has not read. */
  readonly unreadBy?: string;
  /** Also those whose time is over. */
  readonly past?: boolean;
  readonly limit?: number;
}

export interface Notices {
  /** @throws GatehouseError `notice.too_many` */
  send(input: NoticeInput, actor: string, key?: string): Promise<NoticeView>;
  /** Newest first. */
  list(query: NoticeQuery): NoticeView[];
  /** @throws GatehouseError `notice.not_found` */
  read(id: string, name: string, actor: string): Promise<NoticeView>;
}

type Stored = Omit<NoticeView, 'reads'>;

interface Parts {
  readonly journal: Pick<Journal, 'commit' | 'db'>;
  readonly clock: Clock;
  readonly once: Once;
}

const event = (name: string, data: object, actor: string, more: Partial<Draft> = {}): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'gateway',
  device: '',
  name,
  data,
  actor,
  ...more,
});

export function createNotices({ journal, clock, once }: Parts): Notices {
  const newest = journal.db.prepare<[number], { view: string }>(
    'SELECT view FROM notice ORDER BY at DESC, id DESC LIMIT ?',
  );
  const byId = journal.db.prepare<[string], { view: string }>('SELECT view FROM notice WHERE id = ?');
  const readers = journal.db.prepare<[string], { name: string; at: number }>(
    'SELECT name, at FROM notice_read WHERE notice = ? ORDER BY at',
  );
  const admits = createPace(clock, PER_MINUTE);
  const withReads = (stored: Stored): NoticeView => ({ ...stored, reads: readers.all(stored.id) });

  function isFor({ to }: Stored, { role, booth }: NoticeQuery): boolean {
    const everything = role === 'admin' || role === 'auditor' || role === 'flow';
    if (!everything && to.roles && !to.roles.includes(role)) return false;
    return booth === undefined || to.booths === undefined || to.booths.includes(booth);
  }

  return {
    async send({ cause, priority = 4, to = {}, ...said }, actor, key) {
      const { answer } = await once(key === undefined ? undefined : `notice ${actor} ${key}`, () => {
        if (!admits(actor)) throw new GatehouseError('notice.too_many', `${actor} has sent ${PER_MINUTE} in a minute`);
        const at = clock.now();
        const id = uuidv7(at);
        const stored: Stored = {
          ...{ id, ...said, priority, to, from: actor, at },
          ...(cause === undefined ? {} : { cause }),
        };
        const data = { notice: id, ...said, priority, to };
        return {
          unit: {
            records: [event('notice.sent', data, actor, cause === undefined ? { id } : { id, cause })],
            writes: [
              { sql: 'INSERT INTO notice VALUES (?, ?, ?)', params: [id, at, JSON.stringify(stored)] },
              { sql: 'DELETE FROM notice WHERE at < ?', params: [at - KEPT_MS] },
              { sql: 'DELETE FROM notice_read WHERE at < ?', params: [at - KEPT_MS] },
            ],
          },
          answer: { ...stored, reads: [] } satisfies NoticeView,
        };
      });
      return answer;
    },
    list(query) {
      const now = clock.now();
      const found: NoticeView[] = [];
      for (const { view } of newest.all(LOOKED_THROUGH)) {
        const stored = JSON.parse(view) as Stored;
        if (!isFor(stored, query)) continue;
        if (!query.past && stored.until !== undefined && stored.until < now) continue;
        const notice = withReads(stored);
        if (query.unreadBy !== undefined && notice.reads.some(({ name }) => name === query.unreadBy)) continue;
        found.push(notice);
        if (found.length === (query.limit ?? 100)) break;
      }
      return found;
    },
    async read(id, name, actor) {
      const row = byId.get(id);
      if (!row) throw new GatehouseError('notice.not_found', `No notice ${id}`);
      const stored = JSON.parse(row.view) as Stored;
      // A second tap, or the same person at another booth, is no second receipt.
      await once(`notice.read ${id} ${name}`, () => ({
        unit: {
          records: [event('notice.read', { notice: id, name }, actor, { cause: id })],
          writes: [{ sql: 'INSERT OR IGNORE INTO notice_read VALUES (?, ?, ?)', params: [id, name, clock.now()] }],
        },
        answer: { id },
      }));
      return withReads(stored);
    },
  };
}
