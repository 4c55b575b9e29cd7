/** Replays that were asked for and are not yet done, kept over a restart: they go on where they were. */
import type { Lane } from '../contracts/record.ts';
import type { Journal, Write } from '../journal/journal.ts';

export interface ReplayJob {
  readonly id: string;
  readonly epoch: number;
  readonly after: number;
  readonly through: number;
  readonly lanes?: readonly Lane[];
  /** Acknowledged up to here. */
  readonly reached: number;
  readonly actor: string;
  readonly requestedAt: number;
}
/** The writes belong to a transaction of the caller. */
export interface ReplayStore {
  load(): readonly ReplayJob[];
  put(job: ReplayJob): readonly Write[];
  reached(job: ReplayJob): readonly Write[];
  remove(job: Pick<ReplayJob, 'id'>): readonly Write[];
}

export const schema = `
CREATE TABLE IF NOT EXISTS replay (
  uplink TEXT NOT NULL, id TEXT NOT NULL, epoch INTEGER NOT NULL, "after" INTEGER NOT NULL, through INTEGER NOT NULL,
  lanes TEXT, reached INTEGER NOT NULL, actor TEXT NOT NULL, requestedAt INTEGER NOT NULL,
  PRIMARY KEY (uplink, id)
) STRICT;
`;

interface Row extends Omit<ReplayJob, 'lanes'> {
  readonly lanes: string | null;
}

/** @param journal opened with {@link schema} among its schemas */
export function openReplayStore(journal: Journal, uplink: string): ReplayStore {
  return {
    load: () =>
      journal.db
        .prepare<[string], Row>('SELECT * FROM replay WHERE uplink = ? ORDER BY rowid')
        .all(uplink)
        .map(({ id, epoch, after, through, lanes, reached, actor, requestedAt }) => ({
          ...{ id, epoch, after, through, reached, actor, requestedAt },
          ...(lanes === null ? {} : { lanes: JSON.parse(lanes) as Lane[] }),
        })),
    put: ({ id, epoch, after, through, lanes, reached, actor, requestedAt }) => [
      {
        sql: 'INSERT INTO replay VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        params: [
          uplink,
          id,
          epoch,
          after,
          through,
          lanes === undefined ? null : JSON.stringify(lanes),
          reached,
          actor,
          requestedAt,
        ],
      },
    ],
    reached: ({ id, reached }) => [
      { sql: 'UPDATE replay SET reached = ? WHERE uplink = ? AND id = ?', params: [reached, uplink, id] },
    ],
    remove: ({ id }) => [{ sql: 'DELETE FROM replay WHERE uplink = ? AND id = ?', params: [uplink, id] }],
  };
}

export const inMemory: ReplayStore = { load: () => [], put: () => [], reached: () => [], remove: () => [] };

/** Everything an uplink that is no more has left behind: nobody waits for it any longer. */
export const forgetUplink = (uplink: string): Write[] => [
  { sql: 'DELETE FROM replay WHERE uplink = ?', params: [uplink] },
  ...['urgent', 'bulk'].map((lane) => ({
    sql: 'DELETE FROM cursor WHERE name = ?',
    params: [`uplink:${uplink}:${lane}`],
  })),
];
