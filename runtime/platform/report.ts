/**
 * Proves, out of the tables alone, how far each gateway is complete, and names everything that speaks against it.
 *
 * Two independent proofs stand side by side. The first is the gateway's word: each batch accounts for all records of its chain
 * in `(after, through]`, so when the stretches of both chains join without a hole from 0 to N, everything up to N is here. The
 * second is arithmetic: within an epoch the numbers have no holes, so of 1 to N every one is held, or a gap record says that
 * it was removed before it could be sent. What neither explains is counted as unexplained.
 */
import type pg from 'pg';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { lanes } from '../contracts/record.ts';
import { type Hole, type Life, readLives } from './coverage.ts';
import type { Chain } from './message.ts';

export interface LifeReport {
  readonly gateway: string;
  readonly site: string;
  readonly epoch: number;
  /** Every record up to this number is held or explained. */
  readonly through: number;
  /** The last number the gateway told of in this epoch, and how far `through` is from it. */
  readonly end?: number;
  readonly behind?: number;
  readonly holes: readonly (Hole & { readonly chain: Chain; readonly request?: string; readonly detail?: string })[];
  /** Of 1 to `through`: how many are held, and how many gap records say were removed before they were sent. */
  readonly held: number;
  readonly removed: number;
  /** Neither held nor removed. Of a gateway that does not send everything it has, this means nothing. */
  readonly unexplained: number;
  /** Gap records about this epoch. */
  readonly gaps: number;
  /** Gap records that cannot be true; all epochs of the gateway together. */
  readonly falseGaps: readonly string[];
  /** Records that came more than once and were the same. */
  readonly duplicates: number;
  /** Keys under which two different contents came. */
  readonly conflicts: readonly number[];
  /** Messages of this gateway that could not be believed; all its epochs together. */
  readonly poison: number;
  readonly complete: boolean;
}
export interface Report {
  readonly lives: readonly LifeReport[];
  /** Messages that are not even of a gateway's topic. */
  readonly strayPoison: number;
  readonly complete: boolean;
}

export interface ReportOptions {
  readonly gateway?: string;
  /** Name of this platform among the uplinks of its gateways, as gap records count by it. */
  readonly uplink: string;
  /** Complete means up to the last record the gateways told of. */
  readonly toEnd?: boolean;
}

export async function report(database: pg.Pool, options: ReportOptions): Promise<Report> {
  const client = await database.connect();
  try {
    // One snapshot for all of it, while workers go on writing.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const result = await readReport(client, options);
    await client.query('COMMIT');
    return result;
  } finally {
    client.release();
  }
}

async function readReport(client: pg.PoolClient, options: ReportOptions): Promise<Report> {
  const one = [options.gateway ?? null];
  const lives = await readLives(client, options.gateway);
  const throughs = lives.map(throughOf);
  const held = await heldIn(
    client,
    lives.map((life, index) => ({ ...life, from: 1, to: throughs[index] ?? 0 })),
  );
  const gaps = await readGaps(client, options);
  const { rows: duplicates } = await client.query<{ key: string; times: number }>(
    `SELECT gateway || ' ' || epoch AS key, times::float8 FROM gatehouse.duplicate WHERE $1::text IS NULL OR gateway = $1`,
    one,
  );
  const { rows: conflicts } = await client.query<{ key: string; seqs: number[] }>(
    `SELECT gateway || ' ' || epoch AS key, array_agg(DISTINCT seq ORDER BY seq)::float8[] AS seqs
     FROM gatehouse.conflict WHERE $1::text IS NULL OR gateway = $1 GROUP BY gateway, epoch`,
    one,
  );
  const { rows: poison } = await client.query<{ gateway: string | null; count: number }>(
    `SELECT gateway, count(*)::int AS count FROM gatehouse.poison
     WHERE $1::text IS NULL OR gateway = $1 GROUP BY gateway`,
    one,
  );
  const { rows: requests } = await client.query<Request>(
    `SELECT gateway || ' ' || epoch || ' ' || chain AS key, after::float8, through::float8, state, detail
     FROM gatehouse.replay WHERE $1::text IS NULL OR gateway = $1`,
    one,
  );
  const reports: LifeReport[] = [];
  for (const [index, life] of lives.entries()) {
    const key = `${life.gateway} ${life.epoch}`;
    const through = throughs[index] ?? 0;
    const account = await settle(client, life, through, held[index] ?? 0, gaps.by.get(key) ?? []);
    const falseGaps = gaps.untrue.get(life.gateway) ?? [];
    const holes = life.chains.flatMap(({ chain, holes: missing }) =>
      missing.map((hole) => ({ chain, ...hole, ...requestFor(requests, `${key} ${chain}`, hole) })),
    );
    const contradicted = conflicts.find((row) => row.key === key)?.seqs ?? [];
    const behind = life.end === undefined ? undefined : Math.max(0, life.end - through);
    const poisonous = poison.find(({ gateway }) => gateway === life.gateway)?.count ?? 0;
    reports.push({
      gateway: life.gateway,
      site: life.site,
      epoch: life.epoch,
      through,
      ...(life.end === undefined || behind === undefined ? {} : { end: life.end, behind }),
      holes,
      ...account,
      falseGaps,
      duplicates: duplicates.find((row) => row.key === key)?.times ?? 0,
      conflicts: contradicted,
      poison: poisonous,
      complete:
        holes.length === 0 &&
        contradicted.length === 0 &&
        poisonous === 0 &&
        falseGaps.length === 0 &&
        (account.unexplained === 0 || !life.everything) &&
        // A life that is over has to be here to its end; of one that goes on, something is always under way.
        (behind === undefined || behind === 0 || (life.current && !options.toEnd)),
    });
  }
  const strayPoison = poison.find(({ gateway }) => gateway === null)?.count ?? 0;
  return { lives: reports, strayPoison, complete: strayPoison === 0 && reports.every(({ complete }) => complete) };
}

interface Request extends Hole {
  readonly key: string;
  readonly state: string;
  readonly detail: string | null;
}

function requestFor(requests: readonly Request[], key: string, hole: Hole): { request?: string; detail?: string } {
  const asked = requests.find(
    (one) => one.key === key && one.after < hole.through && one.through > hole.after && one.state !== 'done',
  );
  if (!asked) return {};
  return { request: asked.state, ...(asked.detail === null ? {} : { detail: asked.detail }) };
}

/** A chain that has come less far holds the other back: what lies behind is not yet proven. */
const throughOf = ({ chains }: Life): number =>
  chains.length === 0 ? 0 : Math.min(...chains.map(({ through }) => through));

interface Stretch {
  readonly gateway: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
}

/** How many records of each stretch are held, both ends included. */
async function heldIn(client: pg.PoolClient, stretches: readonly Stretch[]): Promise<number[]> {
  const { rows } = await client.query<{ count: number }>(
    `SELECT (SELECT count(*) FROM gatehouse.record
             WHERE record.gateway = one.gateway AND record.epoch = one.epoch
               AND seq BETWEEN one.first AND one.last)::float8 AS count
     FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
          AS one (gateway, epoch, first, last, place)
     ORDER BY place`,
    [
      stretches.map(({ gateway }) => gateway),
      stretches.map(({ epoch }) => epoch),
      stretches.map(({ from }) => from),
      stretches.map(({ to }) => to),
    ],
  );
  return rows.map(({ count }) => count);
}

interface Gap {
  readonly place: string;
  readonly lane: string;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Of those, so many had not been sent to this platform. */
  readonly unsent: number;
  /** Of its places, so many came by a replay: what was sent at first and lost on the way may be gone by then. */
  readonly replayed: number;
}

const count = Type.Integer({ minimum: 0, maximum: 2 ** 40 });
const gapData = Compile(
  Type.Object({
    lane: Type.Enum(lanes),
    epoch: Type.Integer({ minimum: 1, maximum: 8191 }),
    from: count,
    to: count,
    count,
    undelivered: Type.Optional(Type.Record(Type.String(), count)),
  }),
);

interface Gaps {
  /** By `<gateway> <epoch the gap is in>`, from the front. */
  readonly by: ReadonlyMap<string, readonly Gap[]>;
  /** Those that cannot be true, by gateway. */
  readonly untrue: ReadonlyMap<string, readonly string[]>;
}

async function readGaps(client: pg.PoolClient, { gateway, uplink }: ReportOptions): Promise<Gaps> {
  const { rows } = await client.query<{ gateway: string; place: string; data: unknown }>(
    `SELECT gateway, epoch || ':' || seq AS place, record -> 'data' AS data FROM gatehouse.record
     WHERE kind IN ('gap', 'epoch') AND kind = 'gap' AND ($1::text IS NULL OR gateway = $1)
     ORDER BY gateway, epoch, seq`,
    [gateway ?? null],
  );
  const told = rows.map(({ data, ...row }) => ({ ...row, ...(gapData.Check(data) ? { data } : {}) }));
  const believed = told.flatMap(({ data, ...row }) => {
    if (!data) return [];
    const unsent = data.undelivered?.[uplink] ?? 0;
    const possible = data.count >= 1 && data.count <= data.to - data.from + 1 && unsent <= data.count;
    return possible ? [{ ...row, ...data, key: `${row.gateway} ${data.epoch}`, unsent }] : [];
  });
  const { rows: replays } = await client.query<{ count: number }>(
    `SELECT (SELECT coalesce(sum(upper(part) - lower(part)), 0)
             FROM gatehouse.chain, unnest(replayed * int8multirange(int8range(first, last, '[]'))) AS part
             WHERE chain.gateway = one.gateway AND chain.epoch = one.epoch)::float8 AS count
     FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
          AS one (gateway, epoch, first, last, place)
     ORDER BY place`,
    [
      believed.map((gap) => gap.gateway),
      believed.map(({ epoch }) => epoch),
      believed.map(({ from }) => from),
      believed.map(({ to }) => to),
    ],
  );
  const gaps = believed.map((gap, index) => ({ ...gap, replayed: replays[index]?.count ?? 0 }));
  const untrue = told.filter(
    ({ place, gateway: id }) => !gaps.some((gap) => gap.place === place && gap.gateway === id),
  );
  return {
    by: Map.groupBy(
      gaps.sort((a, b) => a.from - b.from || a.to - b.to),
      ({ key }) => key,
    ),
    untrue: new Map(
      [...Map.groupBy(untrue, ({ gateway: id }) => id)].map(([id, list]) => [id, list.map(({ place }) => place)]),
    ),
  };
}

type Account = Pick<LifeReport, 'held' | 'removed' | 'unexplained' | 'gaps'>;

/**
 * Gap records of several lanes may lie across each other, and of a number that is missing nobody knows the lane: they are
 * settled together, one island of overlapping gaps after the other. A gap may count more as unsent than is missing (what was
 * on its way when it was removed came after all), never less; but where a replay could only tell that it is gone, what had
 * been sent before may be missing as well.
 */
async function settle(
  client: pg.PoolClient,
  life: Life,
  through: number,
  held: number,
  gaps: readonly Gap[],
): Promise<Account> {
  const islands: { from: number; to: number; gone: number }[] = [];
  for (const { from, to, count, unsent, replayed } of gaps) {
    const gone = unsent + Math.min(count - unsent, replayed);
    const last = islands.at(-1);
    if (last && from <= last.to) {
      last.to = Math.max(last.to, to);
      last.gone += gone;
    } else islands.push({ from, to, gone });
  }
  // Of one that reaches beyond what is complete, nothing can be said yet; its numbers are left out of the sum.
  const settled = islands.filter(({ from }) => from <= through);
  const counts = await heldIn(
    client,
    settled.map(({ from, to }) => ({ ...life, from, to: Math.min(to, through) })),
  );
  let missing = through - held;
  let removed = 0;
  for (const [index, { from, to, gone }] of settled.entries()) {
    const absent = Math.min(to, through) - from + 1 - (counts[index] ?? 0);
    const explained = Math.min(absent, gone);
    removed += explained;
    missing -= explained;
  }
  return { held, removed, unexplained: missing, gaps: gaps.length };
}
