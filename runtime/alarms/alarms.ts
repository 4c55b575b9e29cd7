/** All alarms of the compound: journal-backed, so a restart changes nothing (reliability.md R2). */
import type { Clock } from '../clock.ts';
import type { AlarmAction, AlarmView } from '../contracts/api.ts';
import type { Scenario } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal, Unit, Write } from '../journal/journal.ts';
import { uuidv7 } from '../journal/uuid.ts';
import {
  type Action,
  type Actor,
  act,
  goAway,
  growWorse,
  isOpen,
  raiseAgain,
  type Step,
  unshelve,
  type Weight,
} from './lifecycle.ts';

export const schema = `
CREATE TABLE IF NOT EXISTS alarm (
  id TEXT PRIMARY KEY,
  open INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  view TEXT NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS alarm_open ON alarm (changed) WHERE open = 1;
CREATE INDEX IF NOT EXISTS alarm_changed ON alarm (changed);
`;
const SAVE = `INSERT INTO alarm VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET open = excluded.open, changed = excluded.changed, view = excluded.view`;

/** What an alarm is about. The scenario and zone come from the inventory, or are the gateway's own. */
export interface Subject {
  readonly device: string;
  readonly scenario: string;
  readonly zone: string;
}
export interface RaiseInput extends Subject {
  readonly kind: string;
  readonly data?: object;
  readonly cause?: string;
  readonly actor: string;
  /** How serious it is this time, where that is not the same every time; default: as the contract says. */
  readonly weight?: Weight;
}

export interface Alarms {
  open(): AlarmView[];
  /** Newest change first. */
  all(query: { limit?: number; before?: number }): AlarmView[];
  get(id: string): AlarmView | undefined;
  isActive(device: string, kind: string): boolean;
  raise(input: RaiseInput): Promise<AlarmView>;
  clear(device: string, kind: string, cause: string | undefined, actor: string): Promise<AlarmView | undefined>;
  act(id: string, action: Action, body: AlarmAction, who: Actor): Promise<AlarmView>;
  /** For callers with a transaction of their own: the alarm counts as changed at once; commit the unit. */
  planRaise(input: RaiseInput): Unit;
  planClear(device: string, kind: string, cause: string | undefined, actor: string): Unit;
  /** Forgets what was planned and not committed. */
  reload(): void;
  /** What must be durable together with every change that is not only planned here. */
  saveWithChanges(writes: () => readonly Write[]): void;
  stop(): void;
}

export function createAlarms({ journal, clock }: { journal: Journal; clock: Clock }): Alarms {
  const open = new Map<string, AlarmView>();
  const byKey = new Map<string, string>();
  const timers = new Map<string, () => void>();
  let alsoSaved: () => readonly Write[] = () => [];
  const keyOf = (device: string, kind: string) => `${device}\n${kind}`;

  const remember = (view: AlarmView) => {
    timers.get(view.id)?.();
    timers.delete(view.id);
    if (isOpen(view)) {
      open.set(view.id, view);
      byKey.set(keyOf(view.device, view.kind), view.id);
      if (view.shelvedUntil !== undefined) {
        timers.set(
          view.id,
          clock.after(Math.max(0, view.shelvedUntil - clock.now()), () => void endShelving(view.id)),
        );
      }
      return;
    }
    open.delete(view.id);
    if (byKey.get(keyOf(view.device, view.kind)) === view.id) byKey.delete(keyOf(view.device, view.kind));
  };

  const plan = ({ view, change }: Step, actor: string, cause: string | undefined, data?: object): Unit => {
    remember(view);
    const record: Draft = {
      lane: view.priority === 1 ? 'L0' : 'L1',
      kind: 'alarm',
      scenario: view.scenario,
      device: view.device,
      name: view.kind,
      data: { ...view, alarm: view.id, change, ...(data === undefined ? {} : { detail: data }) },
      actor,
      ...(cause === undefined ? {} : { cause }),
    };
    return {
      records: [record],
      writes: [{ sql: SAVE, params: [view.id, isOpen(view) ? 1 : 0, view.changedAt, JSON.stringify(view)] }],
    };
  };

  const standing = (device: string, kind: string) => open.get(byKey.get(keyOf(device, kind)) ?? '');

  function planRaise(input: RaiseInput): Unit {
    const now = clock.now();
    const known = standing(input.device, input.kind);
    if (known) {
      const step =
        raiseAgain(known, now, input.cause) ?? (input.weight ? growWorse(known, input.weight, now) : undefined);
      return step ? plan(step, input.actor, input.cause, input.data) : {};
    }
    const kind = alarmKindOf(scenarioOf(input.scenario), input.kind);
    const view: AlarmView = {
      id: uuidv7(now),
      scenario: input.scenario,
      device: input.device,
      kind: input.kind,
      zone: input.zone,
      priority: kind.priority,
      severity: kind.severity,
      ...input.weight,
      process: 'ACTIVE_UNACK',
      handling: 'waiting',
      raisedAt: now,
      changedAt: now,
      count: 1,
      latching: kind.latching ?? false,
      ...(input.cause === undefined ? {} : { cause: input.cause }),
    };
    return plan({ view, change: 'raised' }, input.actor, input.cause, input.data);
  }

  function planClear(device: string, kind: string, cause: string | undefined, actor: string): Unit {
    const known = standing(device, kind);
    const step = known && goAway(known, clock.now());
    return step ? plan(step, actor, cause) : {};
  }

  /** What the disk refused has not happened. */
  async function commit(unit: Unit): Promise<void> {
    try {
      await journal.commit({ ...unit, writes: [...(unit.writes ?? []), ...alsoSaved()] });
    } catch (error) {
      reload();
      throw error;
    }
  }

  async function endShelving(id: string): Promise<void> {
    const view = open.get(id);
    if (view?.process === 'SHELVED')
      await commit(plan(unshelve({ ...view, changedAt: clock.now() }), 'system:alarms', undefined));
  }

  const stored = journal.db.prepare<[], { view: string }>('SELECT view FROM alarm WHERE open = 1');
  function reload(): void {
    open.clear();
    byKey.clear();
    for (const row of stored.all()) remember(JSON.parse(row.view) as AlarmView);
  }
  reload();
  const byId = journal.db.prepare<[string], { view: string }>('SELECT view FROM alarm WHERE id = ?');
  const newest = journal.db.prepare<[number, number], { view: string }>(
    'SELECT view FROM alarm WHERE changed < ? ORDER BY changed DESC LIMIT ?',
  );

  const get = (id: string): AlarmView | undefined => {
    const row = open.has(id) ? undefined : byId.get(id);
    return open.get(id) ?? (row && (JSON.parse(row.view) as AlarmView));
  };

  return {
    open: () => [...open.values()].sort((a, b) => a.priority - b.priority || b.raisedAt - a.raisedAt),
    all: ({ limit = 100, before = Number.MAX_SAFE_INTEGER }) =>
      newest.all(before, Math.min(limit, 500)).map((row) => JSON.parse(row.view) as AlarmView),
    get,
    isActive(device, kind) {
      const view = standing(device, kind);
      return view !== undefined && view.returnedAt === undefined && view.process !== 'NORMAL';
    },
    async raise(input) {
      await commit(planRaise(input));
      return standing(input.device, input.kind) as AlarmView;
    },
    async clear(device, kind, cause, actor) {
      const id = byKey.get(keyOf(device, kind));
      await commit(planClear(device, kind, cause, actor));
      return id === undefined ? undefined : get(id);
    },
    async act(id, action, body, who) {
      const view = get(id);
      if (!view) throw new GatehouseError('alarm.not_found', `No alarm ${id}`);
      const step = act(view, action, body, who, clock.now());
      await commit(plan(step, who.actor, view.cause, body));
      return step.view;
    },
    planRaise,
    planClear,
    reload,
    saveWithChanges(writes) {
      alsoSaved = writes;
    },
    stop() {
      for (const cancel of timers.values()) cancel();
    },
  };
}

function alarmKindOf(scenario: Scenario | undefined, kind: string) {
  const found = scenario?.alarms[kind];
  if (!found) throw new GatehouseError('record.invalid', `Scenario ${scenario?.id ?? '?'} has no alarm ${kind}`);
  return found;
}
