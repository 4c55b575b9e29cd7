/**
 * The life of one alarm as pure functions (ux.md 5, terms of ISA-18.2): the process state follows the condition and the
 * acknowledgement, the handling state follows what people do. Acknowledging never closes.
 */
import type { AlarmAction, AlarmView } from '../contracts/api.ts';
import type { Role } from '../contracts/contract.ts';
import type { AlarmChange } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';

export type Action = 'ack' | 'dispatch' | 'arrive' | 'resolve' | 'reset' | 'shelve' | 'unshelve';
export const actions: readonly Action[] = ['ack', 'dispatch', 'arrive', 'resolve', 'reset', 'shelve', 'unshelve'];

export interface Step {
  readonly view: AlarmView;
  readonly change: AlarmChange['change'];
}
export interface Actor {
  readonly actor: string;
  readonly role: Role;
}

export type Weight = Pick<AlarmView, 'priority' | 'severity'>;

const MINUTE = 60_000;
/** Longest shelving in minutes by priority; P1 never (ux.md 5). */
const SHELVE_MINUTES: Readonly<Record<number, number>> = { 1: 0, 2: 30, 3: 480, 4: 480 };

/** Still needs a person, or its condition still holds. */
export const isOpen = (view: AlarmView): boolean => view.handling !== 'closed';

/** P1 and P2 need a disposition; P3 and P4 close once they were seen and have gone. */
function settle(view: AlarmView): AlarmView {
  const done =
    view.process === 'NORMAL' && (view.handling === 'resolved' || (view.priority >= 3 && view.handling !== 'waiting'));
  return done ? { ...view, handling: 'closed' } : view;
}

/** The condition holds (again) for an alarm that is still open. @returns undefined if that changes nothing. */
export function raiseAgain(view: AlarmView, now: number, cause: string | undefined): Step | undefined {
  const gone = view.returnedAt !== undefined || view.process === 'NORMAL';
  if (!gone) return undefined;
  const { returnedAt: _, ackedBy: _by, ackedAt: _at, disposition: _kind, note: _note, ...rest } = view;
  return {
    change: 'repeated',
    view: {
      ...rest,
      process: view.process === 'SHELVED' ? 'SHELVED' : 'ACTIVE_UNACK',
      handling: view.process === 'SHELVED' ? view.handling : 'waiting',
      changedAt: now,
      count: view.count + 1,
      ...(cause === undefined ? {} : { cause }),
    },
  };
}

/** What holds already has become more serious: somebody has to look again. */
export function growWorse(view: AlarmView, weight: Weight, now: number): Step | undefined {
  if (weight.priority >= view.priority) return undefined;
  const { ackedBy: _by, ackedAt: _at, shelvedUntil: _until, ...rest } = view;
  return {
    change: 'repeated',
    view: { ...rest, ...weight, process: 'ACTIVE_UNACK', handling: 'waiting', changedAt: now, count: view.count + 1 },
  };
}

/** The condition is gone. @returns undefined if it was not active. */
export function goAway(view: AlarmView, now: number): Step | undefined {
  if (view.returnedAt !== undefined || view.process === 'NORMAL') return undefined;
  const returned = { ...view, returnedAt: now, changedAt: now };
  if (view.latching || view.process === 'SHELVED') return { change: 'returned', view: returned };
  const process = view.process === 'ACTIVE_ACK' ? 'NORMAL' : 'RTN_UNACK';
  return { change: 'returned', view: settle({ ...returned, process }) };
}

/** @throws GatehouseError `alarm.wrong_state` or `auth.forbidden`, saying what is missing. */
export function act(view: AlarmView, action: Action, body: AlarmAction, who: Actor, now: number): Step {
  const wrong = (why: string) =>
    new GatehouseError('alarm.wrong_state', `${view.id}: ${why}`, {
      detail: { process: view.process, handling: view.handling },
    });
  const changed = { ...view, changedAt: now, ...(body.note === undefined ? {} : { note: body.note }) };
  if (!isOpen(view)) throw wrong('it is closed');
  switch (action) {
    case 'ack': {
      if (view.process !== 'ACTIVE_UNACK' && view.process !== 'RTN_UNACK')
        throw wrong('it is not waiting for acknowledgement');
      const process = view.process === 'ACTIVE_UNACK' ? 'ACTIVE_ACK' : 'NORMAL';
      return {
        change: 'acked',
        view: settle({ ...changed, process, handling: 'acked', ackedBy: who.actor, ackedAt: now }),
      };
    }
    case 'dispatch':
    case 'arrive':
      if (view.handling === 'waiting') throw wrong('acknowledge it first');
      return {
        change: action === 'dispatch' ? 'dispatched' : 'arrived',
        view: { ...changed, handling: action === 'dispatch' ? 'dispatched' : 'arrived' },
      };
    case 'resolve':
      if (view.handling === 'waiting') throw wrong('acknowledge it first');
      if (body.disposition === undefined) throw wrong('a disposition is needed: real, false, test or fault');
      return { change: 'resolved', view: settle({ ...changed, handling: 'resolved', disposition: body.disposition }) };
    case 'reset':
      if (!view.latching) throw wrong('it does not latch');
      if (view.returnedAt === undefined) throw wrong('its condition still holds');
      if (view.process !== 'ACTIVE_ACK') throw wrong('acknowledge it first');
      return { change: 'reset', view: settle({ ...changed, process: 'NORMAL' }) };
    case 'shelve':
      return shelve(view, changed, body, who, now);
    case 'unshelve':
      if (view.process !== 'SHELVED') throw wrong('it is not shelved');
      return unshelve(changed);
  }
}

function shelve(view: AlarmView, changed: AlarmView, body: AlarmAction, who: Actor, now: number): Step {
  const longest = SHELVE_MINUTES[view.priority] ?? 0;
  const minutes = body.minutes ?? longest;
  if (longest === 0) throw new GatehouseError('auth.forbidden', `${view.id}: priority 1 is never shelved`);
  if (view.priority === 2 && who.role === 'guard')
    throw new GatehouseError('auth.forbidden', `${view.id}: priority 2 is shelved by a shift leader`);
  if (minutes > longest) throw new GatehouseError('alarm.wrong_state', `${view.id}: at most ${longest} minutes`);
  if (body.note === undefined)
    throw new GatehouseError('alarm.wrong_state', `${view.id}: shelving needs a reason (note)`);
  return { change: 'shelved', view: { ...changed, process: 'SHELVED', shelvedUntil: now + minutes * MINUTE } };
}

/** Back on the list: still active, or gone meanwhile. */
export function unshelve(view: AlarmView): Step {
  const { shelvedUntil: _, ...rest } = view;
  const gone = view.returnedAt !== undefined && !view.latching;
  return {
    change: 'unshelved',
    view: settle({ ...rest, process: gone ? 'NORMAL' : 'ACTIVE_UNACK', handling: gone ? 'acked' : 'waiting' }),
  };
}
