/** Sends what a tap asks for. Nothing is ever kept for later: without the line, the tap is refused (ux.md 1.4). */
import type { AlarmAction, AlarmView, CommandView } from '../contracts/api.ts';
import { scenarioOf } from '../contracts/index.ts';
import { call, Refusal } from './api.ts';
import { play } from './sound.ts';
import { newKey } from './state/keys.ts';
import { type Held, leaseOf } from './state/leases.ts';
import { answered, caughtUp, type Order, tapped } from './state/orders.ts';
import { alarms, canAct, commandTrail, devices, orders } from './store.ts';

export interface CommandOptions {
  readonly input?: Readonly<Record<string, unknown>>;
  /** Record that made the guard do it, so that the chain 为什么 finds it. */
  readonly cause?: string | undefined;
  /** Named before, where it has to be. */
  readonly reason?: string;
  /** Of a captain, where the command needs one. */
  readonly approval?: string;
}

export async function sendCommand(device: string, name: string, options: CommandOptions = {}): Promise<void> {
  if (!canAct.peek()) return;
  const { input = {}, cause, reason, approval } = options;
  const order = tapped(orders.peek().get(device), {
    device,
    name,
    input,
    cause,
    reason,
    mono: performance.now(),
    before: provingValue(device, name),
    newKey,
  });
  put(order);
  try {
    const body = {
      device,
      command: name,
      input,
      ...(order.cause === undefined ? {} : { cause: order.cause }),
      ...(order.reason === undefined ? {} : { reason: order.reason }),
    };
    const view = await call<CommandView>('POST', '/commands', body, {
      key: order.key,
      ...(approval === undefined ? {} : { approval }),
    });
    update(order.key, (now) => caughtUp(answered(now, view), commandTrail.peek()));
    play('done');
  } catch (error) {
    update(order.key, (now) => (now.id === undefined ? { ...now, ...outcomeOf(error) } : now));
    play('refused');
  }
}

/** Holds on for as long again; what is refused is told where commands are. */
export async function renewHold(held: Held): Promise<void> {
  if (!canAct.peek()) return;
  try {
    await call<CommandView>('POST', `/commands/${held.command}/renew`);
    play('done');
  } catch (error) {
    const name = leaseOf(held.scenario)?.name ?? '';
    const order = tapped(undefined, {
      device: held.device,
      name,
      input: {},
      mono: performance.now(),
      before: undefined,
      newKey,
    });
    put({ ...order, ...outcomeOf(error) });
    play('refused');
  }
}

/** Names the reason of an opening, within half a minute of it. */
export async function giveReason(order: Order, reason: string): Promise<void> {
  if (!canAct.peek() || order.id === undefined) return;
  update(order.key, (now) => ({ ...now, reason }));
  try {
    await call('POST', `/commands/${order.id}/reason`, { reason });
    play('done');
  } catch {
    update(order.key, ({ reason: _, ...now }) => now);
    play('refused');
  }
}

/** The same for an opening of earlier in the shift. @throws {Refusal} e.g. `command.expired` after the shift */
export async function nameReason(command: string, reason: string): Promise<void> {
  await call('POST', `/commands/${command}/reason`, { reason });
  play('done');
}

/**
 * @param approval of a leader, where the step needs one.
 * @throws {Refusal} e.g. `alarm.wrong_state`; anything else: no answer.
 */
export async function actOnAlarm(
  alarm: AlarmView,
  action: string,
  body: AlarmAction = {},
  approval?: string,
): Promise<void> {
  if (!canAct.peek()) return;
  const options = approval === undefined ? {} : { approval };
  const view = await call<AlarmView>('POST', `/alarms/${alarm.id}/${action}`, body, options);
  // The answer may come before the stream: show it at once, the record says the same.
  const book = alarms.peek();
  if (book.open.has(view.id)) alarms.value = { ...book, open: new Map(book.open).set(view.id, view) };
  play('done');
}

function provingValue(device: string, name: string): unknown {
  const view = devices.peek().get(device);
  const point = view && scenarioOf(view.scenario)?.commands[name]?.proof?.point;
  return point === undefined ? undefined : view?.points[point]?.value;
}

const outcomeOf = (error: unknown): Partial<Order> =>
  error instanceof Refusal
    ? { code: error.code, detail: error.detail, ...(error.words ? { words: error.words } : {}) }
    : { unanswered: true };

function put(order: Order): void {
  orders.value = new Map(orders.peek()).set(order.device, order);
}

/** Only while it is still the newest order of its device. */
function update(key: string, change: (order: Order) => Order): void {
  const order = [...orders.peek().values()].find((candidate) => candidate.key === key);
  if (order) put(change(order));
}
