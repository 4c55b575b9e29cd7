/**
 * The core's own cursor over the journal: raises and clears the alarms whose conditions the contracts state, and runs
 * their watches. What follows from a record is committed in one transaction with the place reached and the memory of the
 * watches, so after any crash every record has had its effect exactly once.
 */
import type { Alarms } from '../alarms/alarms.ts';
import type { Clock } from '../clock.ts';
import type { Condition, Reaction, SiteView, Watch } from '../contracts/contract.ts';
import { scenarioOf, scenarios } from '../contracts/index.ts';
import type { Draft, JournalRecord, Position } from '../contracts/record.ts';
import { isAfter, openCursor } from '../journal/cursors.ts';
import type { Journal, Unit, Write } from '../journal/journal.ts';
import { epochOf, positionNumber, seqOf } from '../journal/schema.ts';
import { uuidv7 } from '../journal/uuid.ts';
import type { Log } from '../log.ts';
import { judge } from './conditions.ts';

export const schema =
  'CREATE TABLE IF NOT EXISTS watch_memory (scenario TEXT PRIMARY KEY, memory TEXT NOT NULL) WITHOUT ROWID, STRICT;';
const SAVE_MEMORY = 'INSERT INTO watch_memory VALUES (?, ?) ON CONFLICT DO UPDATE SET memory = excluded.memory';
/**
 * Places follow each other without a break: when what followed from an earlier record was not committed, nothing that
 * comes after it is either (the NULL is refused), and the rules go back to the place that was saved.
 */
const SAVE_PLACE = 'UPDATE cursor SET pos = iif(pos = ?, ?, NULL) WHERE name = ?';
const CURSOR = 'rules';
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
  const cursor = openCursor(journal, CURSOR, {}, journal.head());
  const savedPlace = journal.db.prepare<[string], { pos: number }>('SELECT pos FROM cursor WHERE name = ?');
  const stored = journal.db.prepare<[], { scenario: string; memory: string }>('SELECT * FROM watch_memory');
  const memories = new Map<string, object>();
  /** Memories that have moved since they were last saved. */
  let dirty = new Set<string>();
  /** Conditions that must hold for a while before they count: what to cancel, by device and alarm. */
  const pending = new Map<string, () => void>();
  /** Alarms that a point raises and clears, by scenario and point. */
  const watched = new Map<string, { readonly kind: string; readonly when: Condition }[]>();
  for (const { id, alarms: kinds } of scenarios) {
    for (const [kind, { when }] of Object.entries(kinds)) {
      if (!when) continue;
      const key = `${id}/${when.point}`;
      watched.set(key, [...(watched.get(key) ?? []), { kind, when }]);
    }
  }
  let reached: Position = cursor.position;
  /** The place handed to the journal last; it may not be durable yet. */
  let saved: Position = cursor.position;
  let unsaved = 0;
  let unfollow = () => {};
  let resuming = false;
  let stopped = false;

  function recall(): void {
    const rows = stored.all();
    for (const scenario of scenarios) {
      if (!scenario.watch) continue;
      const row = rows.find((one) => one.scenario === scenario.id);
      memories.set(scenario.id, row ? (JSON.parse(row.memory) as object) : structuredClone(scenario.watch.start));
    }
    dirty = new Set();
    const place = savedPlace.get(CURSOR);
    reached = place ? { epoch: epochOf(place.pos), seq: seqOf(place.pos) } : cursor.position;
    saved = reached;
    unsaved = 0;
  }

  /** The place reached and the memories that belong to it. */
  function save(): Write[] {
    const [from, to] = [saved, reached].map(({ epoch, seq }) => positionNumber(epoch, seq)) as [number, number];
    const writes: Write[] = [{ sql: SAVE_PLACE, params: [from, to, CURSOR] }];
    for (const scenario of dirty)
      writes.push({ sql: SAVE_MEMORY, params: [scenario, JSON.stringify(memories.get(scenario))] });
    dirty = new Set();
    unsaved = 0;
    saved = reached;
    return writes;
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
    const kinds = watched.get(`${record.scenario}/${record.name}`);
    if (!kinds) return [];
    const reactions: Reaction[] = [];
    const settings = site.device(record.device)?.settings ?? {};
    for (const { kind, when } of kinds) {
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

  /** False for the end of an alarm that does not stand, as most readings say: nothing follows from it. */
  const matters = (reaction: Reaction, earlier: readonly Reaction[]): boolean =>
    !('clear' in reaction) ||
    alarms.isActive(reaction.device, reaction.clear) ||
    earlier.some((one) => 'raise' in one && one.raise === reaction.clear && one.device === reaction.device);

  function watch(record: JournalRecord): Reaction[] {
    const scenario = scenarioOf(record.scenario);
    const memory = memories.get(record.scenario);
    if (!scenario?.watch || !memory) return [];
    dirty.add(record.scenario);
    return (scenario.watch.step as Watch<object>)(memory, record, site);
  }

  async function commit(reactions: readonly Reaction[]): Promise<void> {
    const records: Draft[] = [];
    const writes = save();
    for (const reaction of reactions) {
      plan(reaction, (unit) => {
        records.push(...(unit.records ?? []));
        writes.push(...(unit.writes ?? []));
      });
    }
    await journal.commit({ records, writes });
  }

  /** Synchronous up to the commit, so the order of effects is the order of records. */
  function digest(records: readonly JournalRecord[]): Promise<void> | undefined {
    const reactions: Reaction[] = [];
    for (const record of records) {
      if (!isAfter(record, reached)) continue;
      reached = record;
      unsaved++;
      if (record.kind === 'telemetry' && record.quality === 'good') {
        for (const one of conditions(record)) if (matters(one, reactions)) reactions.push(one);
      }
      for (const one of watch(record)) if (matters(one, reactions)) reactions.push(one);
    }
    return reactions.length > 0 || unsaved >= SAVE_EVERY ? commit(reactions) : undefined;
  }

  async function follow(): Promise<void> {
    recall();
    resuming = false;
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
    if (stopped || resuming) return;
    resuming = true; // everything handed over after the commit that failed will be refused too
    recall();
    log.error({ err: error }, 'what follows from a record could not be committed; trying again');
    alarms.reload();
    clock.after(RETRY_MS, () => void follow().catch(resume));
  }

  return {
    async start() {
      if (!savedPlace.get(CURSOR)) await cursor.advance(cursor.position);
      // An alarm raised by somebody else must not be ended by a reading from before it, when that is read again.
      alarms.saveWithChanges(save);
      await follow();
      // Waiting times do not outlive a restart: what holds now begins to wait anew.
      const standing = [...journal.points()].flatMap(({ device, name, point }) => {
        const scenario = site.device(device)?.scenario;
        return scenario === undefined || point.quality !== 'good'
          ? []
          : conditions({ device, name, scenario, data: point.value, id: '' });
      });
      const news = standing.filter((one) => 'raise' in one); // an end that came has been dealt with above
      if (news.length > 0) await commit(news);
    },
    stop() {
      stopped = true;
      unfollow();
      for (const cancel of pending.values()) cancel();
    },
  };
}
