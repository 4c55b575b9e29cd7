/** Asks the gateways for what is missing. Several workers may do so: of each chain one request is under way at a time. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { type Hole, type Life, readLives } from './coverage.ts';
import { type Chain, lanesOf } from './message.ts';
import { replayId } from './replay-id.ts';

export interface HoleOptions {
  readonly database: pg.Pool;
  /** Publishes a request to a gateway; what does not arrive is asked for again. */
  down(topic: string, body: object): Promise<void>;
  /** Milliseconds that only grow. */
  now(): number;
  /** A hole may be a batch on its way through another worker: so long it is only watched. */
  readonly graceMs: number;
  /**
   * A request without any sign of an answer is repeated after so long. A gateway that says its journal goes further than what
   * came, and sends nothing, may still have it waiting in its queue, so for its end we wait as long.
   */
  readonly patienceMs: number;
}

/** Takes the place of the request before, unless that is still being answered or was refused for this very stretch. */
const CLAIM = `
INSERT INTO gatehouse.replay (gateway, epoch, chain, id, after, through, state)
VALUES ($1, $2, $3, $4, $5, $6, 'asked')
ON CONFLICT (gateway, epoch, chain) DO UPDATE
SET id = excluded.id, after = excluded.after, through = excluded.through, state = 'asked', detail = NULL,
    asked_at = now(), heard_at = now()
WHERE replay.state = 'done'
   OR replay.heard_at < now() - $7 * interval '1 ms'
   OR (replay.state = 'refused' AND (replay.after, replay.through) <> (excluded.after, excluded.through))
RETURNING id`;

/** @returns a function that looks at all holes once and asks for those that stay; resolves with how many it asked for. */
export function createHoleFiller({ database, down, now, graceMs, patienceMs }: HoleOptions): () => Promise<number> {
  let seen = new Map<string, number>();

  async function ask({ gateway, site, epoch }: Life, chain: Chain, { after, through }: Hole): Promise<boolean> {
    const id = replayId({ chain, epoch, after, through }, randomBytes(4).toString('hex'));
    const { rows } = await database.query(CLAIM, [gateway, epoch, chain, id, after, through, patienceMs]);
    if (rows.length === 0) return false;
    await down(`gatehouse/v1/${site}/${gateway}/down/replay`, { id, epoch, after, through, lanes: lanesOf[chain] });
    return true;
  }

  return async () => {
    const still = new Map<string, number>();
    let asked = 0;
    for (const life of await readLives(database)) {
      for (const { chain, holes, top } of life.chains) {
        const tail = life.end !== undefined && life.end > top ? [{ after: top, through: life.end }] : [];
        const [first] = [...holes, ...tail];
        if (!first) continue;
        const key = `${life.gateway} ${life.epoch} ${chain} ${first.after} ${first.through}`;
        const since = seen.get(key) ?? now();
        still.set(key, since);
        const due = now() - since >= (holes.length > 0 ? graceMs : patienceMs);
        if (due && (await ask(life, chain, first))) asked++;
      }
    }
    seen = still;
    return asked;
  };
}
