/**
 * One tap on a command button, from the finger to the proof. Commanded, executed, confirmed and unknown are different
 * words (ux.md 1.3): the phase is worked out from what is known, never assumed.
 */
import type { CommandView } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';
import type { JournalRecord } from '../../contracts/record.ts';
import type { Words } from '../../contracts/words.ts';
import type { LaneView } from './lanes.ts';

export interface Order {
  readonly key: string;
  readonly device: string;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Record that made the guard do it. Sent again unchanged with a repeated tap: same key, same body. */
  readonly cause?: string | undefined;
  /** Monotonic ms of the first tap. */
  readonly tappedAt: number;
  /** The id, once the gateway has accepted it. */
  readonly id?: string;
  readonly state?: CommandView['state'];
  readonly proven?: boolean;
  readonly code?: string;
  readonly detail?: string;
  /** The gateway's own words for why it refused, e.g. what the interlock sees. */
  readonly words?: Words;
  /** The request itself got no answer. */
  readonly unanswered?: boolean;
  /** The arm (or what proves the command) has moved since the tap. */
  readonly moved?: boolean;
  /** Position of the proving point when tapped, to see it move. */
  readonly before?: unknown;
  readonly reason?: string;
}

export type OrderPhase =
  | 'pressed'
  | 'sent'
  | 'executed'
  | 'confirmed'
  | 'executed-unproven'
  | 'unknown'
  | 'refused'
  | 'expired';

const SAME_TAP_MS = 2000;
const NO_REPLY_MS = 3000;
/** So long a reason may be named on the spot. */
export const REASON_WITHIN_MS = 30_000;

export interface Tapped {
  readonly device: string;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly cause?: string | undefined;
  /** A reason named before the command was sent. */
  readonly reason?: string | undefined;
  readonly mono: number;
  readonly before: unknown;
  readonly newKey: () => string;
}

/** A tap; repeated within two seconds it is the same command under the same key. */
export function tapped(last: Order | undefined, { newKey, mono, reason, ...tap }: Tapped): Order {
  const same =
    last?.device === tap.device && last.name === tap.name && JSON.stringify(last.input) === JSON.stringify(tap.input);
  if (same && mono - last.tappedAt < SAME_TAP_MS) return last;
  return { ...tap, key: newKey(), tappedAt: mono, ...(reason === undefined ? {} : { reason }) };
}

/** What the gateway answered, or a later record of the same command. A final state is never taken back. */
export function answered(order: Order, view: Partial<CommandView> & { id: string }): Order {
  if (order.id !== undefined && order.id !== view.id) return order;
  const final = order.state !== undefined && order.state !== 'accepted' && order.state !== 'executing';
  const older = final || (order.state === 'executing' && view.state === 'accepted');
  return {
    ...order,
    id: view.id,
    ...(older || view.state === undefined ? {} : { state: view.state }),
    ...(view.proven === undefined ? {} : { proven: view.proven }),
    ...(view.code === undefined ? {} : { code: view.code }),
    ...(view.detail === undefined ? {} : { detail: view.detail }),
    ...(view.reason === undefined ? {} : { reason: view.reason }),
  };
}

/** Folds records into the orders of this screen, newest per device. @returns The same map when nothing changed. */
export function foldOrders(
  orders: ReadonlyMap<string, Order>,
  records: readonly JournalRecord[],
): ReadonlyMap<string, Order> {
  let next: Map<string, Order> | undefined;
  for (const record of records) {
    const order = (next ?? orders).get(record.device);
    if (!order) continue;
    const changed = recorded(order, record);
    if (changed === order) continue;
    next ??= new Map(orders);
    next.set(record.device, changed);
  }
  return next ?? orders;
}

/** A quick device is done before the answer to the request is here: what its records said meanwhile still counts. */
export const caughtUp = (order: Order, records: readonly JournalRecord[]): Order =>
  records.filter(({ device }) => device === order.device).reduce(recorded, order);

function recorded(order: Order, record: JournalRecord): Order {
  if (record.kind === 'telemetry') {
    const moved = record.name === provingPoint(order, record.scenario) && record.data !== order.before;
    return moved && !order.moved ? { ...order, moved } : order;
  }
  if (record.kind !== 'command' || record.name !== order.name) return order;
  const data = record.data as Partial<CommandView> & { command?: string };
  const id = data.command ?? data.id;
  return id !== undefined && id === order.id ? answered(order, { ...data, id }) : order;
}

const provingPoint = (order: Order, scenario: string): string | undefined =>
  scenarioOf(scenario)?.commands[order.name]?.proof?.point;

/** @param mono Now, monotonic ms. */
export function phaseOf(order: Order, mono: number): OrderPhase {
  if (order.state === 'succeeded') return order.proven === true ? 'confirmed' : 'executed-unproven';
  if (order.state === 'failed') return 'refused';
  if (order.state === 'expired') return 'expired';
  if (order.state === 'unknown' || order.unanswered) return 'unknown';
  if (order.id === undefined) {
    if (order.code !== undefined) return 'refused';
    return mono - order.tappedAt > NO_REPLY_MS ? 'unknown' : 'pressed';
  }
  if (order.moved) return 'executed';
  return mono - order.tappedAt > NO_REPLY_MS ? 'unknown' : 'sent';
}

const SHOWN_MS = 30_000;

/**
 * The order of this screen while it is what last happened in the lane; afterwards the lane's own last command is shown.
 * One that was refused has no place in the lane's memory and is shown for half a minute.
 */
export function orderShown(lane: LaneView, mono: number, order: Order | undefined): Order | undefined {
  if (!order || mono - order.tappedAt > SHOWN_MS) return undefined;
  const newest = lane.memory.command?.id;
  return order.id === undefined || newest === undefined || newest === order.id ? order : undefined;
}

/** Openings ask why, for half a minute, unless refused or already told. */
export function asksReason(order: Order, mono: number): boolean {
  if ((order.name !== 'open' && order.name !== 'lockOpen') || order.id === undefined || order.reason !== undefined)
    return false;
  if (order.state === 'failed' || order.state === 'expired') return false;
  return mono - order.tappedAt < REASON_WITHIN_MS;
}
