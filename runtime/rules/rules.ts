/**
 * The core's own cursor over the journal: raises and clears the alarms whose conditions the contracts state, and runs
 * their watches. What follows from a record is committed in one transaction with the place reached and the memory of the
 * watches, so after any crash every record has had its effect exactly once.
 */
import type { Alarms } from '../alarms/alarms.ts';
import type { Clock } from '../clock.ts';
import type { Reaction, SiteView, Watch } from '../contracts/contract.ts';
import { scenarioOf, scenarios } from '../contracts/index.ts';
import type { Draft, JournalRecord, Position } from '../contracts/record.ts';
import { isAfter, openCursor } from '../journal/cursors.ts';
import type { Journal, Unit } from '../journal/journal.ts';
import { uuidv7 } from '../journal/uuid.ts';
import type { Log } from '../log.ts';
import { judge } from './conditions.ts';

export const schema =
  'CREATE TABLE IF NOT EXISTS watch_memory (scenario TEXT PRIMARY KEY, memory TEXT NOT NULL) WITHOUT ROWID, STRICT;';
const SAVE_MEMORY = 'INSERT INTO watch_memory VALUES (?, ?) ON CONFLICT DO UPDATE SET memory = excluded.memory';
const ACTOR = 'system:rules';
/** Without any effect the place is saved this often: what would be read again has no effect either. */
const SAVE_EVERY = 1000;
const RETRY_MS = 1000;

export interface Rules {
  /** Deals with what came while it was away, then follows. */
  start(): Promise<void>;
  stop(): void;
}

interface Parts {
  readonly journal: Journal;
  readonly alarms: Alarms;
  readonly site: SiteView;
  readonly clock: Clock;
  readonly log: Log;
}

export function createRules({ journal, alarms, site, clock, log }: Parts): Rules {
  const cursor = openCursor(journal, 'rules', {}, journal.head());
  const stored = journal.db.prepare<[], { scenario: string; memory: string }>('SELECT * FROM watch_memory');
  const memories = new Map<string, object>();
  /** Memories that have moved since they were last saved. */
  let dirty = new Set<string>();
  /** Conditions that must hold for a while before they count: what to cancel, by device and alarm. */
  const pending = new Map<string, () => void>();
  let reached: Position = cursor.position;
  let unsaved = 0;
  let unfollow = () => {};
  let stopped = false;

  function recall(): void {
    const saved = stored.all();
    for (const scenario of scenarios) {
      if (!scenario.watch) continue;
      const row = saved.find((one) => one.scenario === scenario.id);
      memories.set(scenario.id, row ? (JSON.parse(row.memory) as object) : structuredClone(scenario.watch.start));
    }
    dirty = new Set();
    reached = cursor.position;
    unsaved = 0;
  }

  function plan(reaction: Reaction, add: (unit: Unit) => void): void {
    const device = site.device(reaction.device);
    if (!device) return;
    if ('event' in reaction) {
      const draft: Draft = {
        id: uuidv7(clock.now()),
        lane: scenarioOf(device.scenario)?.events[reaction.event]?.lane ?? 'L1',
        kind: 'event',
        scenario: device.scenario,
        device: device.id,
        name: reaction.event,
        data: reaction.data,
        cause: reaction.cause,
        actor: reaction.actor ?? ACTOR,
      };
      add({ records: [draft] });
      return;
    }
    if ('raise' in reaction) {
      const subject = { device: device.id, scenario: device.scenario, zone: device.zone };
      const data = reaction.data === undefined ? {} : { data: reaction.data };
      add(
        alarms.planRaise({
          ...subject,
          ...data,
          kind: reaction.raise,
          ...(reaction.cause === '' ? {} : { cause: reaction.cause }),
          actor: ACTOR,
        }),
      );
      return;
    }
    add(alarms.planClear(device.id, reaction.clear, reaction.cause, ACTOR));
  }

  type Reading = Pick<JournalRecord, 'device' | 'name' | 'scenario' | 'data' | 'id'>;

  function conditions(record: Reading): Reaction[] {
    const reactions: Reaction[] = [];
    const settings = site.device(record.device)?.settings ?? {};
    for (const [kind, { when }] of Object.entries(scenarioOf(record.scenario)?.alarms ?? {})) {
      if (when?.point !== record.name) continue;
      const verdict = judge(when, record.data as string | number | boolean, settings[kind]);
      const key = `${record.device}\n${kind}`;
      if (verdict === 'off') {
        pending.get(key)?.();
        pending.delete(key);
        reactions.push({ clear: kind, device: record.device, cause: record.id });
      } else if (verdict === 'on' && when.forMs === undefined) {
        reactions.push({ raise: kind, device: record.device, data: { value: record.data }, cause: record.id });
      } else if (
        verdict === 'on' &&
        when.forMs !== undefined &&
        !pending.has(key) &&
        !alarms.isActive(record.device, kind)
      ) {
        const raise: Reaction = { raise: kind, device: record.device, data: { value: record.data }, cause: record.id };
        const late = () => {
          pending.delete(key);
          commit([raise]).catch(resume);
        };
        pending.set(key, clock.after(when.forMs, late));
      }
    }
    return reactions;
  }

  function watch(record: JournalRecord): Reaction[] {
    const scenario = scenarioOf(record.scenario);
    const memory = memories.get(record.scenario);
    if (!scenario?.watch || !memory) return [];
    dirty.add(record.scenario);
    return (scenario.watch.step as Watch<object>)(memory, record, site);
  }

  async function commit(reactions: readonly Reaction[]): Promise<void> {
    const records: Draft[] = [];
    const through = reached;
    const writes = [cursor.write(through)];
    for (const scenario of dirty)
      writes.push({ sql: SAVE_MEMORY, params: [scenario, JSON.stringify(memories.get(scenario))] });
    for (const reaction of reactions) {
      plan(reaction, (unit) => {
        records.push(...(unit.records ?? []));
        writes.push(...(unit.writes ?? []));
      });
    }
    dirty = new Set();
    unsaved = 0;
    await journal.commit({ records, writes });
    cursor.moved(through);
  }

  /** Synchronous up to the commit, so the order of effects is the order of records. */
  function digest(records: readonly JournalRecord[]): Promise<void> | undefined {
    const reactions: Reaction[] = [];
    for (const record of records) {
      if (!isAfter({ epoch: record.epoch, seq: record.seq }, reached)) continue;
      reached = { epoch: record.epoch, seq: record.seq };
      unsaved++;
      if (record.kind === 'telemetry' && record.quality === 'good') reactions.push(...conditions(record));
      reactions.push(...watch(record));
    }
    return reactions.length > 0 || unsaved >= SAVE_EVERY ? commit(reactions) : undefined;
  }

  async function follow(): Promise<void> {
    recall();
    for (;;) {
      const { records, through } = cursor.read(500, reached);
      await digest(records);
      if (records.length < 500) {
        reached = through;
        break;
      }
    }
    // No await between the last read and this line: nothing can slip between.
    unfollow = journal.onCommit((records) => {
      digest(records)?.catch(resume);
    });
  }

  /** The disk refused what followed from a record: go back to the saved place and do it again. */
  function resume(error: unknown): void {
    unfollow();
    if (stopped) return;
    log.error({ err: error }, 'what follows from a record could not be committed; trying again');
    alarms.reload();
    clock.after(RETRY_MS, () => void follow().catch(resume));
  }

  return {
    async start() {
      await follow();
      // Waiting times do not outlive a restart: what holds now begins to wait anew.
      const standing = [...journal.points()].flatMap(({ device, name, point }) => {
        const scenario = site.device(device)?.scenario;
        return scenario === undefined || point.quality !== 'good'
          ? []
          : conditions({ device, name, scenario, data: point.value, id: '' });
      });
      if (standing.length > 0) await commit(standing);
    },
    stop() {
      stopped = true;
      unfollow();
      for (const cancel of pending.values()) cancel();
    },
  };
}
