/** How far each chain of each gateway is complete, and what is missing in between: read from the tables, for one or all. */
import type pg from 'pg';
import { type Chain, chains, lanesOf } from './message.ts';

/** Everything in `(after, through]` is missing. */
export interface Hole {
  readonly after: number;
  readonly through: number;
}
export interface ChainState {
  readonly chain: Chain;
  /** Everything up to and including this sequence number is accounted for. */
  readonly through: number;
  /** The highest number accounted for; above `through` only behind a hole. */
  readonly top: number;
  readonly holes: readonly Hole[];
}
/** One life of one gateway's journal. */
export interface Life {
  readonly gateway: string;
  readonly site: string;
  readonly epoch: number;
  /** The last number this life has, as far as the gateway said; undefined if it said nothing. */
  readonly end: number | undefined;
  /** Its newest life. */
  readonly current: boolean;
  /** The gateway said that it sends every record of L0 to L3. */
  readonly everything: boolean;
  /** The chains this gateway sends at all; until it has said so, both. */
  readonly chains: readonly ChainState[];
}

const LIVES = `
WITH life AS (
  SELECT gateway, epoch FROM gatehouse.chain
  UNION SELECT gateway, epoch FROM gatehouse.gateway WHERE epoch IS NOT NULL
)
SELECT life.gateway, life.epoch, gateway.site, gateway.lanes, coalesce(gateway.everything, true) AS everything,
       life.epoch = max(life.epoch) OVER (PARTITION BY life.gateway) AS current,
       -- The record that begins a later life says where the one before it ended.
       CASE WHEN life.epoch = gateway.epoch THEN gateway.head
            ELSE (SELECT max(substring(record #>> '{data,lastKnown,seq}' FROM '^\\d{1,13}$')::float8) FROM gatehouse.record
                  WHERE record.gateway = life.gateway AND record.epoch > life.epoch AND kind = 'epoch'
                    AND record #>> '{data,lastKnown,epoch}' = life.epoch::text)
       END::float8 AS end
FROM life JOIN gatehouse.gateway USING (gateway)
WHERE $1::text IS NULL OR gateway = $1
ORDER BY gateway, epoch`;

const CHAINS = `
SELECT gateway, epoch, chain, upper(covered)::float8 AS above,
       ARRAY(SELECT ARRAY[lower(part), upper(part)]::float8[]
             FROM unnest(int8multirange(int8range(1, upper(covered))) - covered) AS part) AS missing
FROM gatehouse.chain
WHERE $1::text IS NULL OR gateway = $1`;

interface LifeRow {
  readonly gateway: string;
  readonly epoch: number;
  readonly site: string;
  readonly lanes: readonly string[] | null;
  readonly everything: boolean;
  readonly current: boolean;
  readonly end: number | null;
}
interface ChainRow {
  readonly gateway: string;
  readonly epoch: number;
  readonly chain: Chain;
  readonly above: number | null;
  readonly missing: readonly (readonly [number, number])[];
}

/** @param gateway only this one; default: all */
export async function readLives(database: pg.Pool | pg.PoolClient, gateway?: string): Promise<Life[]> {
  const { rows: lives } = await database.query<LifeRow>(LIVES, [gateway ?? null]);
  const { rows: links } = await database.query<ChainRow>(CHAINS, [gateway ?? null]);
  const byKey = new Map(links.map((link) => [`${link.gateway} ${link.epoch} ${link.chain}`, link]));
  return lives.map((life) => ({
    gateway: life.gateway,
    site: life.site,
    epoch: life.epoch,
    end: life.end ?? undefined,
    current: life.current,
    everything:
      life.everything && (life.lanes === null || ['L0', 'L1', 'L2', 'L3'].every((lane) => life.lanes?.includes(lane))),
    chains: chains
      .filter((chain) => lanesOf[chain].some((lane) => life.lanes?.includes(lane) ?? true))
      .map((chain) => stateOf(chain, byKey.get(`${life.gateway} ${life.epoch} ${chain}`))),
  }));
}

function stateOf(chain: Chain, row: ChainRow | undefined): ChainState {
  const top = (row?.above ?? 1) - 1;
  const holes = (row?.missing ?? []).map(([from, to]) => ({ after: from - 1, through: to - 1 }));
  return { chain, top, holes, through: holes[0]?.after ?? top };
}
