/** Sends what a tap asks for. Nothing is ever kept for later: without the line, the tap is refused (ux.md 1.4). */
import type { AlarmAction, AlarmView, CommandView } from '../contracts/api.ts';
import { scenarioOf } from '../contracts/index.ts';
import { call, Refusal } from './api.ts';
import { play } from './sound.ts';
import { answered, type Order, tapped } from './state/orders.ts';
import { alarms, canAct, devices, orders } from './store.ts';

/**
 * @param cause Record that made the guard do it, so that the chain 为什么 finds it.
 */
export async function sendCommand(
  device: string,
  name: string,
  input: Record<string, unknown> = {},
  cause?: string,
): Promise<void> {
  if (!canAct.peek()) return;
  const order = tapped(orders.peek().get(device), {
    device,
    name,
    input,
    cause,
    mono: performance.now(),
    before: provingValue(device, name),
    newKey,
  });
  put(order);
  try {
    const body = { device, command: name, input, ...(order.cause === undefined ? {} : { cause: order.cause }) };
    const view = await call<CommandView>('POST', '/commands', body, { key: order.key });
    update(order.key, (now) => answered(now, view));
    play('done');
  } catch (error) {
    update(order.key, (now) => (now.id === undefined ? { ...now, ...outcomeOf(error) } : now));
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

// A random id, also where the page came over plain HTTP on the site network and randomUUID is not offered.
const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

function provingValue(device: string, name: string): unknown {
  const view = devices.peek().get(device);
  const point = view && scenarioOf(view.scenario)?.commands[name]?.proof?.point;
  return point === undefined ? undefined : view?.points[point]?.value;
}

const outcomeOf = (error: unknown): Partial<Order> =>
  error instanceof Refusal ? { code: error.code, detail: error.detail } : { unanswered: true };

function put(order: Order): void {
  orders.value = new Map(orders.peek()).set(order.device, order);
}

/** Only while it is still the newest order of its device. */
function update(key: string, change: (order: Order) => Order): void {
  const order = [...orders.peek().values()].find((candidate) => candidate.key === key);
  if (order) put(change(order));
}
