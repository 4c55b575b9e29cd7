/** The tables in PostgreSQL (14 or newer, for multiranges), and the connection to them. */
import pg from 'pg';

/** Beside them a platform keeps what it likes; nothing here refers to anything else. */
const TABLES = `
CREATE SCHEMA IF NOT EXISTS gatehouse;

CREATE TABLE IF NOT EXISTS gatehouse.gateway (
  gateway text PRIMARY KEY,
  site text NOT NULL,
  state text,
  epoch int,
  head bigint,
  lanes text[],
  everything boolean,
  heard_at timestamptz NOT NULL DEFAULT now()
);

-- One row per record, ever. What came is kept word for word; the columns beside it are for searching.
CREATE TABLE IF NOT EXISTS gatehouse.record (
  gateway text NOT NULL,
  epoch int NOT NULL,
  seq bigint NOT NULL,
  at timestamptz NOT NULL,
  received timestamptz NOT NULL,
  lane text NOT NULL,
  kind text NOT NULL,
  scenario text NOT NULL,
  device text NOT NULL,
  name text NOT NULL,
  digest bytea NOT NULL,
  record json NOT NULL,
  PRIMARY KEY (gateway, epoch, seq)
);
CREATE INDEX IF NOT EXISTS record_landmark ON gatehouse.record (gateway, epoch, seq) WHERE kind IN ('gap', 'epoch');

-- How far each of the two chains of a gateway is complete: every sequence number some batch has accounted for, and which of
-- them a replay has.
CREATE TABLE IF NOT EXISTS gatehouse.chain (
  gateway text NOT NULL,
  epoch int NOT NULL,
  chain text NOT NULL,
  covered int8multirange NOT NULL,
  replayed int8multirange NOT NULL,
  batches bigint NOT NULL,
  PRIMARY KEY (gateway, epoch, chain)
);

CREATE TABLE IF NOT EXISTS gatehouse.duplicate (
  gateway text NOT NULL,
  epoch int NOT NULL,
  times bigint NOT NULL,
  PRIMARY KEY (gateway, epoch)
);

-- The same key with other content. The first that came stays in record; what contradicts it is kept here.
CREATE TABLE IF NOT EXISTS gatehouse.conflict (
  gateway text NOT NULL,
  epoch int NOT NULL,
  seq bigint NOT NULL,
  digest bytea NOT NULL,
  record json NOT NULL,
  times bigint NOT NULL,
  first_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (gateway, epoch, seq, digest)
);

-- Messages of which nothing could be believed. They are acknowledged, or they would hold up everything behind them.
CREATE TABLE IF NOT EXISTS gatehouse.poison (
  digest bytea PRIMARY KEY,
  gateway text,
  topic text NOT NULL,
  reason text NOT NULL,
  bytes bigint NOT NULL,
  payload bytea NOT NULL,
  times bigint NOT NULL,
  first_at timestamptz NOT NULL DEFAULT now()
);

-- The newest replay asked for of each chain.
CREATE TABLE IF NOT EXISTS gatehouse.replay (
  gateway text NOT NULL,
  epoch int NOT NULL,
  chain text NOT NULL,
  id text NOT NULL,
  after bigint NOT NULL,
  through bigint NOT NULL,
  state text NOT NULL,
  detail text,
  asked_at timestamptz NOT NULL DEFAULT now(),
  heard_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (gateway, epoch, chain)
);
`;
/** Any number, the same in every worker: two that begin at once would both create. */
const CREATING = 0x6761_7465;

/**
 * @param address `postgres://…`, or a folder with a socket; by default what the PG… variables of the environment say.
 * @throws if the database cannot be reached or is too old
 */
export async function openDatabase(address?: string): Promise<pg.Pool> {
  const pool = new pg.Pool({
    ...(address === undefined ? {} : { connectionString: address }),
    max: 4,
    application_name: 'gatehouse-platform',
  });
  // A connection that breaks while nobody uses it; the next query opens another.
  pool.on('error', () => {});
  try {
    await inTransaction(pool, async (client) => {
      await client.query('SELECT pg_advisory_xact_lock($1)', [CREATING]);
      await client.query(TABLES);
    });
  } catch (error) {
    await pool.end();
    throw error;
  }
  return pool;
}

export async function inTransaction<Result>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  // Without a listener, a connection that breaks in the middle would end the process.
  const onError = () => {};
  client.on('error', onError);
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
