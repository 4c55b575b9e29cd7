/**
 * Repeats a stretch of the journal for a platform that found a hole: paced, one batch at a time on `up/reply`, so that the
 * live lanes do not notice. What is asked for is answered from the journal, whatever the cursors say.
 */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Clock } from '../clock.ts';
import { lanes, type Position } from '../contracts/record.ts';
import { reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import type { Stretch } from './batch.ts';
import { createLaneReader, type LaneReader, type RecordFilter } from './reader.ts';

/** Body on `…/down/replay`: everything in `(after, through]` of one epoch, by default of the current one. */
const replayRequest = Type.Object(
  {
    id: Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,64}$' }),
    epoch: Type.Optional(Type.Integer({ minimum: 1, maximum: 8191 })),
    after: Type.Integer({ minimum: 0, maximum: 2 ** 40 - 1 }),
    through: Type.Integer({ minimum: 1, maximum: 2 ** 40 - 1 }),
    lanes: Type.Optional(Type.Array(Type.Enum(lanes), { minItems: 1, maxItems: lanes.length })),
  },
  { additionalProperties: false },
);

/** What goes back beside the batches: the end of a replay, or why there is none. */
export type ReplayAnswer =
  | { readonly replay: string; readonly state: 'done'; readonly epoch: number; readonly through: number }
  | { readonly replay: string; readonly state: 'refused'; readonly code: string; readonly detail: string };

interface Job {
  readonly id: string;
  readonly reader: LaneReader;
  readonly through: number;
  /** How far it was acknowledged. */
  at: Position;
}

const MAX_WAITING = 4;
const BATCH_RECORDS = 200;
const BATCH_BYTES = 100 * 1024;
const PAUSE_MS = 50;

/**
 * @param sent what this receiver gets at all; a replay never shows more.
 * @param send publishes one batch; resolves on its PUBACK, rejects when the connection is gone.
 */
export function createReplays(
  journal: Journal,
  sent: RecordFilter & { readonly lanes: readonly (typeof lanes)[number][] },
  clock: Clock,
  log: Log,
  send: (stretch: Stretch, replay: string) => Promise<void>,
  answer: (answer: ReplayAnswer) => Promise<void>,
) {
  const jobs: Job[] = [];
  let connection = 0; // counts them; a run belongs to one
  let running = 0;

  /** Why a request cannot be answered; undefined if it can. */
  function obstacle(epoch: number, after: number, through: number): string | undefined {
    const end = createLaneReader(journal, sent).endOf(epoch).seq;
    if (after >= through) return `after ${after} is not before through ${through}`;
    if (end === 0) return `epoch ${epoch} is not in this journal`;
    if (through > end) return `epoch ${epoch} ends at ${end}`;
    const first = journal.read({ after: { epoch, seq: 0 }, limit: 1 }).items[0]?.seq ?? 1;
    return after < first - 1 ? `epoch ${epoch} is kept from ${first} on` : undefined;
  }

  /** The next batch of a job: searched in bounded steps, with room for others in between. */
  async function next(job: Job): Promise<Stretch> {
    const texts: string[] = [];
    let bytes = 0;
    let at = job.at;
    while (texts.length < BATCH_RECORDS && at.seq < job.through) {
      const { records, through } = job.reader.read(at, BATCH_RECORDS - texts.length);
      let reached = Math.min(through.seq, job.through);
      for (const record of records) {
        if (record.seq > job.through) break;
        const text = JSON.stringify(record);
        bytes += Buffer.byteLength(text);
        if (bytes > BATCH_BYTES && texts.length > 0) {
          reached = record.seq - 1;
          break;
        }
        texts.push(text);
      }
      at = { epoch: at.epoch, seq: reached };
      if (bytes > BATCH_BYTES) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { epoch: at.epoch, after: job.at.seq, through: at.seq, records: texts };
  }

  async function run(mine: number): Promise<void> {
    if (running === mine) return;
    running = mine;
    try {
      for (let job = jobs[0]; job && connection === mine; job = jobs[0]) {
        const stretch = await next(job);
        await send(stretch, job.id);
        job.at = { epoch: stretch.epoch, seq: stretch.through };
        if (stretch.through >= job.through) {
          await answer({ replay: job.id, state: 'done', epoch: stretch.epoch, through: job.through });
          jobs.shift();
        }
        await new Promise<void>((resolve) => clock.after(PAUSE_MS, resolve));
      }
    } catch (error) {
      // The connection is gone; the job goes on from its place with the next one.
      log.debug({ replay: jobs[0]?.id, reason: reasonOf(error) }, 'replay interrupted');
    } finally {
      if (running === mine) running = 0;
    }
  }

  return {
    /** @param body what came on the topic. @returns the id of the request if it was accepted */
    async request(body: unknown): Promise<string | undefined> {
      if (!Value.Check(replayRequest, body)) {
        const id = typeof body === 'object' && body !== null && 'id' in body ? String(body.id).slice(0, 64) : '';
        await answer({ replay: id, state: 'refused', code: 'record.invalid', detail: 'not {id, after, through}' });
        return undefined;
      }
      const { id, epoch = journal.epoch, after, through, lanes: wanted = sent.lanes } = body;
      const refuse = (code: string, detail: string) => answer({ replay: id, state: 'refused', code, detail });
      if (jobs.some((job) => job.id === id)) return undefined; // delivered twice
      if (jobs.length > MAX_WAITING) {
        await refuse('uplink.busy', `${jobs.length} replays wait`);
        return undefined;
      }
      const reason = obstacle(epoch, after, through);
      if (reason) {
        await refuse('uplink.range', reason);
        return undefined;
      }
      const filter = { ...sent, lanes: sent.lanes.filter((lane) => wanted.includes(lane)) };
      jobs.push({ id, reader: createLaneReader(journal, filter), through, at: { epoch, seq: after } });
      void run(connection);
      return id;
    },
    /** A new connection stands. */
    resume(): void {
      void run(++connection);
    },
  };
}
