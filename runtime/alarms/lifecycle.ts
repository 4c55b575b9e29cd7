/**
 * The life of one alarm as pure functions (ux.md 5, terms of ISA-18.2): the process state follows the condition and the
 * acknowledgement, the handling state follows what people do. Acknowledging never closes.
 */
import type { AlarmAction, AlarmView, Recipient } from '../contracts/api.ts';
import type { Role } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import type { AlarmChange } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';

export const actions = [
  'ack',
  'dispatch',
  'arrive',
  'resolve',
  'reset',
  'clear-false',
  'shelve',
  'unshelve',
  'out-of-service',
  'in-service',
] as const;
export type Action = (typeof actions)[number];

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
const SHELVE_MINUTES: Readonly<Record<number, number>> = { 1: 0, 2: 30, 3: 480, 4: 1440 };
/** What could save a life is never out of service for longer, and always has an end. */
const P1_OUT_MINUTES = 1440;
const leaders: readonly Role[] = ['shift-leader', 'admin'];
const technicians: readonly Role[] = ['installer', 'admin'];

/** Still needs a person, or its condition still holds. */
export const isOpen = (view: AlarmView): boolean => view.handling !== 'closed';

/** The condition holds, as far as is known. */
export const holds = (view: AlarmView): boolean => view.returnedAt === undefined && view.process !== 'NORMAL';

/** Somebody has to look: it is on the list and nobody has answered. */
export const isWaiting = (view: AlarmView): boolean => view.process === 'ACTIVE_UNACK' || view.process === 'RTN_UNACK';

/** Put aside by a person or a rule: out of the list, one tap away, and never escalated. */
export const isAside = (view: AlarmView): boolean =>
  view.process === 'SHELVED' || view.process === 'SUPPRESSED' || view.process === 'OUT_OF_SERVICE';

/** P1 and P2 need a disposition; P3 and P4 close once they were seen and have gone. */
function settle(view: AlarmView): AlarmView {
  const done =
    view.process === 'NORMAL' && (view.handling === 'resolved' || (view.priority >= 3 && view.handling !== 'waiting'));
  return done ? { ...view, handling: 'closed' } : view;
}

/** The condition holds (again) for an alarm that is still open. @returns undefined if that changes nothing. */
export function raiseAgain(view: AlarmView, now: number, cause: string | undefined): Step | undefined {
  if (holds(view)) return undefined;
  const aside = isAside(view);
  return {
    change: 'repeated',
    view: {
      ...asNew(view, !aside && !isWaiting(view)),
      process: aside ? view.process : 'ACTIVE_UNACK',
      handling: aside ? view.handling : 'waiting',
      changedAt: now,
      count: view.count + 1,
      ...(cause === undefined ? {} : { cause }),
    },
  };
}

/** Without what was done about its earlier coming. @param answers also forgets who answered and how far it was escalated */
function asNew(view: AlarmView, answers: boolean): AlarmView {
  const { returnedAt: _, disposition: _kind, note, clearedFalse: _cleared, ...rest } = view;
  if (!answers) return note === undefined ? rest : { ...rest, note };
  const { ackedBy: _by, ackedAt: _at, answerMs: _ms, escalation: _step, ...fresh } = rest;
  return fresh;
}

/** What holds already has become more serious: somebody has to look again. */
export function growWorse(view: AlarmView, weight: Weight, now: number): Step | undefined {
  if (weight.priority >= view.priority) return undefined;
  const changed = { ...weight, changedAt: now, count: view.count + 1 };
  // What a rule or an installer has put aside stays there; what a guard shelved was lighter when it was shelved.
  if (view.process === 'SUPPRESSED' || view.process === 'OUT_OF_SERVICE')
    return { change: 'repeated', view: { ...view, ...changed } };
  const { ackedBy: _by, ackedAt: _at, answerMs: _ms, shelvedUntil: _until, shelvedBy: _who, ...rest } = view;
  return { change: 'repeated', view: { ...rest, ...changed, process: 'ACTIVE_UNACK', handling: 'waiting' } };
}

/** The line or device in front of it has failed, and that is told instead. */
export function suppress(view: AlarmView, by: string, now: number): Step {
  return { change: 'suppressed', view: { ...view, process: 'SUPPRESSED', suppressedBy: by, changedAt: now } };
}

/** What was in front of it works again, and its own condition still holds. */
export function unsuppress(view: AlarmView, now: number): Step {
  const { suppressedBy: _, ...rest } = view;
  const process = view.ackedBy === undefined ? 'ACTIVE_UNACK' : 'ACTIVE_ACK';
  return { change: 'unsuppressed', view: { ...rest, process, changedAt: now } };
}

/** Nobody has answered in time. @param to who is told now */
export function escalate(view: AlarmView, level: number, to: readonly Recipient[], now: number): Step {
  return { change: 'escalated', view: { ...view, changedAt: now, escalation: { level, at: now, to: [...to] } } };
}

/** The condition is gone. @returns undefined if it was not active. */
export function goAway(view: AlarmView, now: number): Step | undefined {
  if (!holds(view)) return undefined;
  const { chatter: _, ...rest } = view;
  const returned = { ...rest, returnedAt: now, changedAt: now };
  if (view.process === 'SUPPRESSED') {
    // Nobody was asked about it: what was in front of it has told everything.
    const { suppressedBy: _by, ...alone } = returned;
    const gone = { ...alone, process: 'NORMAL' } as const;
    return { change: 'returned', view: view.handling === 'waiting' ? { ...gone, handling: 'closed' } : settle(gone) };
  }
  if (view.latching || isAside(view)) return { change: 'returned', view: returned };
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
      if (!isWaiting(view)) throw wrong('it is not waiting for acknowledgement');
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
    case 'clear-false':
      return clearFalse(view, changed, body, who, now);
    case 'shelve':
      return shelve(view, changed, body, who, now);
    case 'unshelve':
      if (view.process !== 'SHELVED') throw wrong('it is not shelved');
      return bringBack(changed);
    case 'out-of-service':
      return takeOut(view, changed, body, who, now);
    case 'in-service':
      if (!technicians.includes(who.role)) throw forbidden(view, 'an installer takes it back into service');
      if (view.process !== 'OUT_OF_SERVICE') throw wrong('it is not out of service');
      return bringBack(changed);
  }
}

const forbidden = (view: AlarmView, why: string) => new GatehouseError('auth.forbidden', `${view.id}: ${why}`);
const unfit = (view: AlarmView, why: string) => new GatehouseError('alarm.wrong_state', `${view.id}: ${why}`);

/**
 * A fire alarm confirmed as false is cleared by hand 误报消除 (SX 7.2.7.3): a shift leader, with a note, a second tap, and
 * after somebody has said that it was false. What still holds cannot be cleared: it would only hide what comes again.
 */
function clearFalse(view: AlarmView, changed: AlarmView, body: AlarmAction, who: Actor, now: number): Step {
  if (!leaders.includes(who.role)) throw forbidden(view, 'a false alarm is cleared by a shift leader');
  if (!scenarioOf(view.scenario)?.alarms[view.kind]?.clearsFalse)
    throw unfit(view, 'only a fire alarm is cleared as false');
  if (view.disposition !== 'false') throw unfit(view, 'resolve it as false first');
  if (view.returnedAt === undefined)
    throw unfit(view, 'its condition still holds: reset the detector, or let an installer take it out of service');
  if (body.note === undefined) throw unfit(view, 'a note of the shift leader is needed');
  if (body.confirm !== true) throw unfit(view, 'confirm it a second time (confirm: true)');
  return {
    change: 'cleared-false',
    view: { ...changed, process: 'NORMAL', handling: 'closed', clearedFalse: { by: who.actor, at: now } },
  };
}

/** Under repair, by an installer with a work order: it is recorded and disturbs nobody until it is back in service. */
function takeOut(view: AlarmView, changed: AlarmView, body: AlarmAction, who: Actor, now: number): Step {
  if (!technicians.includes(who.role)) throw forbidden(view, 'an installer takes an alarm out of service');
  const { ticket, minutes } = body;
  if (ticket === undefined) throw unfit(view, 'the number of the work order is needed (ticket)');
  if (view.priority === 1 && minutes === undefined) throw unfit(view, 'priority 1 needs an end (minutes)');
  if (view.priority === 1 && (minutes ?? 0) > P1_OUT_MINUTES)
    throw unfit(view, `priority 1 is out of service for at most ${P1_OUT_MINUTES} minutes`);
  const { shelvedUntil: _, shelvedBy: _by, suppressedBy: _parent, ...rest } = changed;
  const until = minutes === undefined ? {} : { until: now + minutes * MINUTE };
  return {
    change: 'out-of-service',
    view: { ...rest, process: 'OUT_OF_SERVICE', outOfService: { ticket, by: who.actor, ...until } },
  };
}

function shelve(view: AlarmView, changed: AlarmView, body: AlarmAction, who: Actor, now: number): Step {
  const longest = SHELVE_MINUTES[view.priority] ?? 0;
  const minutes = body.minutes ?? longest;
  if (longest === 0) throw forbidden(view, 'priority 1 is never shelved');
  if (view.priority === 2 && who.role === 'guard') throw forbidden(view, 'priority 2 is shelved by a shift leader');
  if (view.process === 'SUPPRESSED' || view.process === 'OUT_OF_SERVICE')
    throw unfit(view, 'it is suppressed or out of service already');
  if (minutes > longest) throw unfit(view, `at most ${longest} minutes`);
  if (body.note === undefined) throw unfit(view, 'shelving needs a reason (note)');
  const until = { shelvedUntil: now + minutes * MINUTE, shelvedBy: who.actor };
  return { change: 'shelved', view: { ...changed, process: 'SHELVED', ...until } };
}

/** Back on the list after shelving or repair: still active, or gone meanwhile. */
export function bringBack(view: AlarmView): Step {
  const { shelvedUntil: _, shelvedBy: _by, outOfService, ...rest } = view;
  const gone = view.returnedAt !== undefined && !view.latching;
  return {
    change: outOfService ? 'in-service' : 'unshelved',
    view: gone
      ? settle({ ...rest, process: 'NORMAL', handling: view.handling === 'waiting' ? 'acked' : view.handling })
      : { ...rest, process: 'ACTIVE_UNACK', handling: 'waiting' },
  };
}
