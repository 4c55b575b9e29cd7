/**
 * Repeats a stretch of the journal for a platform that found a hole: paced, one batch at a time on `up/reply`, so that the
 * live lanes do not notice. What is asked for is answered from the journal, whatever the cursors say. Records that are not
 * there any more are told by the gap records about them, in the batch whose stretch they are about.
 */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { type Clock, delay } from '../clock.ts';
import { type ReplayView, replayInput } from '../contracts/api.ts';
import { type Draft, kinds, type Lane } from '../contracts/record.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import { createLaneReader, type RecordFilter } from './reader.ts';
import { inMemory, type ReplayJob, type ReplayStore } from './replay-store.ts';
import type { Part } from './sender.ts';

/** Body on `…/down/replay`: everything in `(after, through]` of one epoch, by default of the current one. */
const replayRequest = Type.Object(
  { id: Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,64}$' }), ...replayInput.properties },
  { additionalProperties: false },
);
export type ReplayRequest = Static<typeof replayRequest>;

/** The end of a replay, told beside its batches. */
export interface ReplayDone {
  readonly replay: string;
  readonly state: 'done';
  readonly epoch: number;
  readonly through: number;
}

export interface ReplayOptions {
  readonly uplink: string;
  /** What this receiver gets at all; a replay never shows more. */
  readonly sent: RecordFilter & { readonly lanes: readonly Lane[] };
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  /** By default a restart forgets what was asked for. */
  readonly store?: ReplayStore;
  /** Publishes the next part; resolves on its PUBACK, rejects when the connection is gone. */
  send(part: Part): Promise<{ readonly through: number; readonly told: boolean }>;
  answer(answer: ReplayDone): Promise<void>;
}

interface Job extends ReplayJob {
  /** How far it was acknowledged. */
  reached: number;
}

const MAX_WAITING = 4;
const KEEP_DONE = 10;
const PAUSE_MS = 50;
const AGAIN_MS = 1000;
const SAVE_EVERY_MS = 1000;

export function createReplays(options: ReplayOptions) {
  const { uplink, sent, journal, clock, log, store = inMemory } = options;
  const jobs: Job[] = store.load().map((job) => ({ ...job }));
  const done: ReplayView[] = [];
  const reader = createLaneReader(journal, sent);
  const goneUntil = journal.db.prepare<[number], { to: number | null }>(
    `SELECT max(data ->> '$.to') AS "to" FROM record
     WHERE kind = ${kinds.indexOf('gap')} AND kind <> 0 AND data ->> '$.epoch' = ?`,
  );
  let connection = 0; // counts them; a run belongs to one
  let connected = false;
  let running = 0;

  /** Why a request cannot be answered; undefined if it can. */
  function obstacle(epoch: number, after: number, through: number): string | undefined {
    if (after >= through) return `after ${after} is not before through ${through}`;
    const end = Math.max(reader.endOf(epoch).seq, goneUntil.get(epoch)?.to ?? 0);
    if (end === 0) return `epoch ${epoch} is not in this journal`;
    return through > end ? `epoch ${epoch} ends at ${end}` : undefined;
  }

  const filterOf = ({ lanes = sent.lanes }: Job) => ({
    ...sent,
    lanes: sent.lanes.filter((lane) => lanes.includes(lane)),
  });
  const save = (writes: ReturnType<ReplayStore['put']>) =>
    journal
      .commit({ writes })
      .catch((error: unknown) => log.warn({ reason: reasonOf(error) }, 'the state of a replay is not saved'));

  async function repeat(job: Job, mine: number): Promise<void> {
    const { id: replay, epoch, through } = job;
    const filter = filterOf(job);
    let savedAt = clock.mono();
    for (let from = job.reached; from < through && connection === mine; ) {
      const part = await options.send({ replay, epoch, from, after: job.reached, through, filter });
      from = part.through;
      if (!part.told) continue;
      job.reached = part.through;
      if (clock.mono() - savedAt >= SAVE_EVERY_MS) {
        savedAt = clock.mono();
        await save(store.reached(job));
      }
      await delay(clock, PAUSE_MS);
    }
    if (job.reached < through) return;
    await options.answer({ replay, state: 'done', epoch, through });
    jobs.splice(jobs.indexOf(job), 1);
    done.push({ ...viewOf(job), state: 'done', endedAt: clock.now() });
    if (done.length > KEEP_DONE) done.shift();
    await save(store.remove(job));
  }

  async function run(mine: number): Promise<void> {
    if (!connected || running === mine) return;
    running = mine;
    for (let job = jobs[0]; job && connection === mine; job = jobs[0]) {
      try {
        await repeat(job, mine);
      } catch (error) {
        // Most likely the connection is gone: then the job goes on from its place with the next one.
        log.debug({ replay: job.id, reason: reasonOf(error) }, 'replay interrupted');
        if (connection === mine) await delay(clock, AGAIN_MS);
      }
    }
    if (running === mine) running = 0;
  }

  const viewOf = ({
    id,
    epoch,
    after,
    through,
    lanes,
    reached,
    actor,
    requestedAt,
  }: Job): Omit<ReplayView, 'state'> => ({
    ...{ id, epoch, after, through, reached, actor, requestedAt },
    ...(lanes === undefined ? {} : { lanes: [...lanes] }),
  });

  return {
    /**
     * Resolves once the request is durable. @param body what came on the topic or by HTTP
     * @throws GatehouseError `record.invalid`, `uplink.busy`, `uplink.range`
     */
    async request(body: unknown, actor: string): Promise<ReplayView> {
      if (!Value.Check(replayRequest, body)) throw new GatehouseError('record.invalid', 'not {id, after, through}');
      const { id, epoch = journal.epoch, after, through, lanes } = body;
      const known = jobs.find((job) => job.id === id); // delivered twice
      if (known) return { ...viewOf(known), state: 'waiting' };
      if (jobs.length > MAX_WAITING) throw new GatehouseError('uplink.busy', `${jobs.length} replays wait`);
      const reason = obstacle(epoch, after, through);
      if (reason) throw new GatehouseError('uplink.range', reason);
      const job: Job = {
        ...{ id, epoch, after, through, reached: after, actor, requestedAt: clock.now() },
        ...(lanes === undefined ? {} : { lanes }),
      };
      jobs.push(job);
      try {
        await journal.commit({ records: [audit(uplink, job)], writes: store.put(job) });
      } catch (error) {
        jobs.splice(jobs.indexOf(job), 1);
        throw error;
      }
      void run(connection);
      return { ...viewOf(job), state: 'waiting' };
    },
    /** A new connection stands. */
    resume(): void {
      connected = true;
      void run(++connection);
    },
    /** It has ended. */
    suspend(): void {
      connected = false;
      connection++;
    },
    /** Those that ended lately, the one that runs, and those that wait. */
    views: (): ReplayView[] => [
      ...done,
      ...jobs.map((job, index) => ({
        ...viewOf(job),
        state: index === 0 && connected ? ('running' as const) : ('waiting' as const),
      })),
    ],
  };
}

const audit = (uplink: string, { id, epoch, after, through, lanes, actor }: Job): Draft => ({
  lane: 'L0',
  kind: 'audit',
  scenario: 'gateway',
  device: '',
  name: 'uplink.replay.requested',
  data: { uplink, replay: id, epoch, after, through, ...(lanes === undefined ? {} : { lanes }) },
  actor,
});
