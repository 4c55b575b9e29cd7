/**
 * Work orders 工单: open, assigned, done or cancelled. Every step is a record; the table beside it is what the steps
 * lead to, in the same transaction.
 */
import { type Clock, every } from '../clock.ts';
import type { Role } from '../contracts/contract.ts';
import type {
  WorkOrderAction,
  WorkOrderInput,
  WorkOrderState,
  WorkOrderStatistics,
  WorkOrderStep,
  WorkOrderView,
} from '../contracts/duty.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal, Unit } from '../journal/journal.ts';
import type { Once } from '../journal/once.ts';
import { uuidv7 } from '../journal/uuid.ts';
import type { Log } from '../log.ts';
import { createPace } from './pace.ts';
import { statisticsOf } from './statistics.ts';

export const schema = `
CREATE TABLE IF NOT EXISTS work_order (
  id TEXT PRIMARY KEY, open INTEGER NOT NULL, changed INTEGER NOT NULL, view TEXT NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS work_order_open ON work_order (changed) WHERE open = 1;
CREATE INDEX IF NOT EXISTS work_order_changed ON work_order (changed);
`;
const SAVE = `INSERT INTO work_order VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET open = excluded.open, changed = excluded.changed, view = excluded.view`;
const LOOK_EVERY_MS = 30_000;
/** More at once than people can work through; a flow that makes them without end is stopped here. */
const MOST_OPEN = 2000;
const PER_MINUTE = 30;

/** Who takes a step; a flow creates, people do the rest. */
export interface Worker {
  readonly actor: string;
  readonly name: string;
  readonly role: Role | 'flow';
}

export interface WorkOrderQuery {
  readonly state?: WorkOrderState | 'unfinished';
  readonly assignee?: string;
  readonly overdue?: boolean;
  /** ms UTC of the last change. */
  readonly before?: number;
  readonly limit?: number;
}

export interface WorkOrders {
  /** @throws GatehouseError `workorder.too_many` */
  create(input: WorkOrderInput, actor: string, key?: string): Promise<WorkOrderView>;
  /** Newest change first. */
  list(query: WorkOrderQuery): WorkOrderView[];
  /** @throws GatehouseError `workorder.not_found` */
  get(id: string): WorkOrderView;
  /** @throws GatehouseError `workorder.not_found`, `workorder.wrong_state`, `auth.forbidden` */
  act(id: string, action: WorkOrderAction, step: WorkOrderStep, who: Worker): Promise<WorkOrderView>;
  statistics(from: number, to: number): WorkOrderStatistics;
  stop(): void;
}

interface Parts {
  readonly journal: Pick<Journal, 'commit' | 'db'>;
  readonly clock: Clock;
  readonly once: Once;
  readonly log: Log;
}

export const isUnfinished = ({ state }: WorkOrderView): boolean => state === 'open' || state === 'assigned';
/** Ids grow with time: of two changes in one millisecond the later order comes first. */
const newestFirst = (a: WorkOrderView, b: WorkOrderView): number => b.changedAt - a.changedAt || (a.id < b.id ? 1 : -1);
const leads = ({ role }: Worker): boolean => role === 'shift-leader' || role === 'admin';

function recordOf(view: WorkOrderView, name: string, actor: string): Draft {
  const { id, title, state, priority, assignee, due, alarm, device, zone, note, cause } = view;
  const optional = Object.entries({ assignee, due, alarm, subject: device, zone, note });
  return {
    lane: 'L1',
    kind: 'event',
    scenario: 'gateway',
    device: '',
    name: `workorder.${name}`,
    data: {
      ...{ order: id, title, state, priority },
      ...Object.fromEntries(optional.filter(([, value]) => value !== undefined)),
    },
    actor,
    ...(cause === undefined ? {} : { cause }),
  };
}

/** What an action makes of an order. @throws GatehouseError for one that is finished, or somebody who may not */
function stepOf(
  view: WorkOrderView,
  action: WorkOrderAction,
  { assignee, due, note }: WorkOrderStep,
  who: Worker,
): WorkOrderView {
  if (!isUnfinished(view)) {
    throw new GatehouseError('workorder.wrong_state', `Work order ${view.id} is ${view.state} already`);
  }
  const forbid = (what: string): never => {
    throw new GatehouseError('auth.forbidden', `${who.role} may not ${what}; a shift leader can`);
  };
  const changed = { ...view, changedBy: who.actor, ...(note === undefined ? {} : { note }) };
  switch (action) {
    case 'assign': {
      const to = assignee ?? who.name;
      if (to !== who.name && !leads(who)) forbid('assign work to others');
      // A new due time starts the watch on it anew.
      const { overdueAt, ...rest } = changed;
      return {
        ...(due === undefined && overdueAt !== undefined ? changed : rest),
        ...(due === undefined ? {} : { due }),
        state: 'assigned',
        assignee: to,
      };
    }
    case 'done':
      if (view.assignee !== undefined && view.assignee !== who.name && !leads(who)) forbid('finish the work of others');
      return { ...changed, state: 'done', assignee: view.assignee ?? who.name };
    case 'cancel':
      if (view.createdBy !== who.actor && !leads(who)) forbid('cancel this work order');
      return { ...changed, state: 'cancelled' };
  }
}

const told: Readonly<Record<WorkOrderAction, string>> = { assign: 'assigned', done: 'done', cancel: 'cancelled' };

export function createWorkOrders({ journal, clock, once, log }: Parts): WorkOrders {
  const standing = journal.db.prepare<[], { view: string }>('SELECT view FROM work_order WHERE open = 1');
  const byId = journal.db.prepare<[string], { view: string }>('SELECT view FROM work_order WHERE id = ?');
  const changedSince = journal.db.prepare<[number], { view: string }>(
    'SELECT view FROM work_order WHERE changed >= ? ORDER BY changed DESC LIMIT 20000',
  );
  const newest = journal.db.prepare<[number, number], { view: string }>(
    'SELECT view FROM work_order WHERE changed < ? ORDER BY changed DESC, id DESC LIMIT ?',
  );
  const parse = ({ view }: { view: string }) => JSON.parse(view) as WorkOrderView;
  let open = new Map<string, WorkOrderView>();
  const reload = () => {
    open = new Map(
      standing
        .all()
        .map(parse)
        .map((view) => [view.id, view]),
    );
  };
  reload();

  /** Counts as so at once; what the disk refuses has not happened. */
  function unitOf(view: WorkOrderView, name: string, actor: string): Unit {
    if (isUnfinished(view)) open.set(view.id, view);
    else open.delete(view.id);
    const params = [view.id, isUnfinished(view) ? 1 : 0, view.changedAt, JSON.stringify(view)];
    return { records: [recordOf(view, name, actor)], writes: [{ sql: SAVE, params }] };
  }

  async function undoing<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      reload();
      throw error;
    }
  }

  const get = (id: string): WorkOrderView => {
    const row = open.has(id) ? undefined : byId.get(id);
    const found = open.get(id) ?? (row && parse(row));
    if (!found) throw new GatehouseError('workorder.not_found', `No work order ${id}`);
    return found;
  };

  const admits = createPace(clock, PER_MINUTE);
  const isOverdue = ({ due }: WorkOrderView, now: number): boolean => due !== undefined && due < now;

  async function tellOverdue(): Promise<void> {
    const now = clock.now();
    for (const view of open.values()) {
      if (!isOverdue(view, now) || view.overdueAt !== undefined) continue;
      await undoing(journal.commit(unitOf({ ...view, overdueAt: now, changedAt: now }, 'overdue', 'system:duty')));
    }
  }
  const stopLooking = every(clock, LOOK_EVERY_MS, () => {
    tellOverdue().catch((error: unknown) => log.warn({ reason: reasonOf(error) }, 'an overdue work order is not told'));
  });

  return {
    async create({ cause, ...input }, actor, key) {
      const { answer } = await undoing(
        once(key === undefined ? undefined : `workorder ${actor} ${key}`, () => {
          if (open.size >= MOST_OPEN) {
            throw new GatehouseError('workorder.too_many', `${open.size} work orders are open; finish some first`);
          }
          if (!admits(actor)) {
            throw new GatehouseError('workorder.too_many', `${actor} has made ${PER_MINUTE} in a minute`);
          }
          const now = clock.now();
          const view: WorkOrderView = {
            id: uuidv7(now),
            priority: 3,
            ...input,
            state: input.assignee === undefined ? 'open' : 'assigned',
            ...{ createdBy: actor, createdAt: now, changedBy: actor, changedAt: now },
            ...(input.assignee === undefined ? {} : { assignedAt: now }),
            ...(cause === undefined ? {} : { cause }),
          };
          return { unit: unitOf(view, 'created', actor), answer: view };
        }),
      );
      return answer;
    },
    list({ state, assignee, overdue, before = Number.MAX_SAFE_INTEGER, limit = 100 }) {
      const now = clock.now();
      const fits = (view: WorkOrderView) =>
        (state === undefined || (state === 'unfinished' ? isUnfinished(view) : view.state === state)) &&
        (assignee === undefined || view.assignee === assignee) &&
        (!overdue || (isUnfinished(view) && isOverdue(view, now)));
      const live = overdue || state === 'unfinished' || state === 'open' || state === 'assigned';
      const all = live
        ? [...open.values()].filter(({ changedAt }) => changedAt < before).sort(newestFirst)
        : newest.all(before, 2000).map(parse);
      return all.filter(fits).slice(0, limit);
    },
    get,
    async act(id, action, step, who) {
      const now = clock.now();
      const next = stepOf(get(id), action, step, who);
      const view: WorkOrderView = {
        ...next,
        changedAt: now,
        ...(action === 'assign' ? { assignedAt: now } : { closedAt: now }),
      };
      await undoing(journal.commit(unitOf(view, told[action], who.actor)));
      return view;
    },
    statistics: (from, to) =>
      statisticsOf(changedSince.all(from).map(parse), [...open.values()], {
        from,
        to,
        now: clock.now(),
      }),
    stop: () => stopLooking(),
  };
}
