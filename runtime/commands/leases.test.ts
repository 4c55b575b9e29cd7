/** What is held is let go by itself, whatever happens (reliability.md F1-F3). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import type { CommandView } from '../contracts/api.ts';
import type { Sender } from '../contracts/contract.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { Dispatcher, type Outputs, schema, type Who } from './dispatcher.ts';

const GATE = 'gate-east-in';
const HELD_MS = 30_000;

/** A barrier that can be held closed; what reached it, in order. */
function barrier() {
  const state = { sent: [] as string[], arm: 'closed', answers: true, alarms: [] as string[] };
  const outputs: Outputs = {
    target: (id) => ({ id, scenario: 'vehicle-gate', commands: ['open', 'close', 'lockClosed', 'endLock'] }),
    latest: () => false,
    alarmed: (_device, _scenario, alarm) => state.alarms.includes(alarm),
    forbidden: () => undefined,
    async command(_device, command, _input, turn) {
      await turn.begin();
      if (!state.answers) throw new GatehouseError('driver.timeout', 'no answer in 1000 ms');
      state.sent.push(command);
      if (command === 'open') state.arm = 'open';
      return {};
    },
    read: async () => [{ point: 'barrierState', value: state.arm }],
    setting: async () => {},
  };
  return { state, outputs };
}

let directory: string;
let clock: ManualClock;
let journal: Journal;
let dispatcher: Dispatcher;
let gate: ReturnType<typeof barrier>;
let trouble: (string | undefined)[];
/** Where the journal was when the test began. */
let mark: number;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-leases-'));
  clock = manualClock();
  await open();
});
beforeEach(() => {
  gate = barrier();
  trouble = [];
  mark = journal.head().seq;
  begin();
});
afterEach(async () => {
  gate.state.answers = true;
  await dispatcher.stop();
});
afterAll(async () => {
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});
async function open() {
  journal = await Journal.open({ directory, clock, log: silentLog, schema: [schema] });
}
function begin() {
  const heldTrouble = (_lease: unknown, detail: string | undefined) => void trouble.push(detail);
  dispatcher = new Dispatcher({ journal, outputs: gate.outputs, clock, log: silentLog, heldTrouble });
}
/** kill -9, and a new life: the timers of the old one stand still with its journal. */
async function restart() {
  await journal[Symbol.asyncDispose]();
  await open();
  begin();
}

const leader: Who = { actor: 'user:demo-leader', sender: 'shift-leader' };
const as = (sender: Sender, name: string): Who => ({ actor: name, sender });

/** Lets time pass, in steps in which the disk keeps up. */
async function pass(ms: number): Promise<void> {
  for (const end = clock.mono() + ms; clock.mono() < end; ) {
    await clock.advance(Math.min(250, end - clock.mono()));
    await journal.append();
  }
}
async function outcome({ id }: CommandView): Promise<CommandView> {
  let last: CommandView | undefined;
  void dispatcher.settled(id).then((view) => (last = view));
  for (let step = 0; step < 100 && !last; step++) await pass(100);
  return last ?? dispatcher.get(id);
}
const order = async (command: string, who: Who) =>
  outcome(await dispatcher.send({ device: GATE, command }, who, crypto.randomUUID()));
const hold = () => order('lockClosed', leader);
const told = () =>
  journal
    .read({ kind: ['state'], limit: 500 })
    .items.filter(({ name, seq }) => seq > mark && name.startsWith('lease.'))
    .map(({ name, data }) => [name, (data as { reason?: string }).reason].filter(Boolean).join(' '));
const said = (draft: Pick<Draft, 'kind' | 'name' | 'data'>) =>
  journal.append({ lane: 'L2', scenario: 'vehicle-gate', device: GATE, ...draft });

describe('held no longer than somebody holds it', () => {
  test('F1 the end of the time lets go, by the gateway, and says so', async () => {
    const view = await hold();
    expect(view).toMatchObject({ state: 'succeeded', lease: { until: view.createdAt + HELD_MS } });
    expect(dispatcher.leases()).toMatchObject([{ command: view.id, device: GATE, release: 'endLock' }]);
    await pass(HELD_MS - 1000);
    expect(gate.state.sent).toEqual(['lockClosed']);
    await pass(2000);
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock']);
    expect(dispatcher.leases()).toEqual([]);
    expect(told()).toEqual(['lease.held', 'lease.released expired']);
    const released = journal.read({ name: 'endLock' }).items.find(({ seq }) => seq > mark);
    expect(released).toMatchObject({ actor: 'system:lease', cause: view.id });
    expect(dispatcher.get(view.id).lease?.releasedAt).toBeGreaterThan(view.createdAt);
    expect(trouble.filter((detail) => detail !== undefined)).toEqual([]);
  });

  test('F1 a wall clock set back or forward changes nothing', async () => {
    await hold();
    clock.step(-3600_000);
    await pass(HELD_MS - 1000);
    expect(gate.state.sent).toEqual(['lockClosed']);
    clock.step(7200_000);
    await pass(500);
    expect(gate.state.sent).toEqual(['lockClosed']);
    await pass(1500);
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock']);
  });

  test('F1 renewed by its holder, it holds on, and the device is told again', async () => {
    const { id } = await hold();
    await pass(20_000);
    const renewed = await dispatcher.renew(id, leader);
    expect(renewed.lease?.until).toBe(clock.now() + HELD_MS);
    await pass(20_000);
    expect(gate.state.sent).toEqual(['lockClosed', 'lockClosed']);
    await pass(11_000);
    expect(gate.state.sent).toEqual(['lockClosed', 'lockClosed', 'endLock']);
    expect(told()).toEqual(['lease.held', 'lease.renewed', 'lease.released expired']);
  });

  test('F1 nobody else renews it but a shift leader, and nobody what is over', async () => {
    const { id } = await hold();
    await expect(dispatcher.renew(id, as('guard', 'user:other'))).rejects.toMatchObject({ code: 'command.forbidden' });
    await dispatcher.renew(id, as('shift-leader', 'user:other-leader'));
    await order('endLock', as('guard', 'user:guard'));
    await expect(dispatcher.renew(id, leader)).rejects.toMatchObject({ code: 'command.lease_over' });
    expect(gate.state.sent).toEqual(['lockClosed', 'lockClosed', 'endLock']);
    expect(told().at(-1)).toBe('lease.released released');
    await pass(2 * HELD_MS);
    expect(gate.state.sent).toHaveLength(3);
  });

  test('F1 held once more takes the place of what was held', async () => {
    await hold();
    await pass(20_000);
    await hold();
    await pass(20_000);
    expect(gate.state.sent).toEqual(['lockClosed', 'lockClosed']);
    await pass(11_000);
    expect(gate.state.sent).toEqual(['lockClosed', 'lockClosed', 'endLock']);
    expect(told()).toEqual(['lease.held', 'lease.released replaced', 'lease.held', 'lease.released expired']);
  });

  test('F1 who has less right does not open what is held; fire does, and lets go first', async () => {
    const { id } = await hold();
    await expect(order('open', as('flow', 'flow:lane'))).rejects.toMatchObject({
      code: 'command.held',
      detail: { command: id },
    });
    expect(await order('open', as('guard', 'user:guard'))).toMatchObject({ state: 'succeeded', proven: true });
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock', 'open']);
    expect(told()).toEqual(['lease.held', 'lease.released overridden']);
  });

  test('C2 F1 letting go first takes longer than the command has: it is expired, and nothing of it is sent', async () => {
    await hold();
    const { command } = gate.outputs;
    Object.assign(gate.outputs, {
      async command(...[device, name, input, turn]: Parameters<Outputs['command']>) {
        if (name !== 'endLock') return command(device, name, input, turn);
        await turn.begin();
        await new Promise<void>((resolve) => void clock.after(1000, resolve)); // a silent device, a second long
        throw new GatehouseError('driver.timeout', 'no answer in 1000 ms');
      },
    });
    const input = { device: GATE, command: 'open', deadlineMs: 300 };
    const { id } = await dispatcher.send(input, as('guard', 'user:guard'), crypto.randomUUID());
    expect(await outcome(dispatcher.get(id))).toMatchObject({ state: 'expired', code: 'command.expired' });
    await pass(2000);
    expect(gate.state.sent).toEqual(['lockClosed']);
    Object.assign(gate.outputs, { command });
    await pass(5000);
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock']); // the release goes on being tried
  });

  test('F1 what was not proven to be held is let go at once', async () => {
    gate.state.arm = 'between';
    expect(await hold()).toMatchObject({ state: 'failed', code: 'command.unproven' });
    await pass(1000);
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock']);
    expect(told()).toEqual(['lease.held', 'lease.released not-proven']);
  });
});

describe('let go when nobody can hold it', () => {
  test('F1 the gateway stops', async () => {
    await hold();
    await dispatcher.stop();
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock']);
    expect(told()).toEqual(['lease.held', 'lease.released stop']);
  });

  test('F1 C4 killed while it is held: the next start lets go', async () => {
    const { id } = await hold();
    await restart();
    await dispatcher.recover();
    await pass(1000);
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock']);
    expect(told()).toEqual(['lease.held', 'lease.released restart']);
    expect(dispatcher.get(id).lease?.releasedAt).toBeDefined();
    await pass(HELD_MS);
    expect(gate.state.sent).toHaveLength(2);
  });

  test('F1 what is held before the recovery has begun is not let go by it', async () => {
    await hold();
    await dispatcher.recover();
    await pass(1000);
    expect(told()).toEqual(['lease.held']);
    expect(gate.state.sent).toEqual(['lockClosed']);
  });

  test('F1 killed right before the byte: it may be held, and is let go', async () => {
    const { command } = gate.outputs;
    const began = new Promise<void>((resolve) => {
      Object.assign(gate.outputs, {
        async command(...[, , , turn]: Parameters<Outputs['command']>) {
          await turn.begin();
          resolve();
          return new Promise(() => {});
        },
      });
    });
    await dispatcher.send({ device: GATE, command: 'lockClosed' }, leader, 'k');
    await began;
    Object.assign(gate.outputs, { command });
    await restart();
    await dispatcher.recover();
    await pass(7000);
    expect(gate.state.sent).toEqual(['endLock']);
  });

  test('F1 the link is lost: tried again and again, told to a person, let go as soon as it is back', async () => {
    await hold();
    gate.state.answers = false;
    await said({ kind: 'state', name: 'link', data: { state: 'offline' } });
    await pass(20_000);
    expect(gate.state.sent).toEqual(['lockClosed']);
    expect(trouble).toEqual(['no answer in 1000 ms']);
    gate.state.answers = true;
    await said({ kind: 'state', name: 'link', data: { state: 'online' } });
    await pass(750);
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock']);
    expect(trouble).toEqual(['no answer in 1000 ms', undefined]);
    expect(told()).toEqual(['lease.held', 'lease.released link']);
  });

  test('F1 F3 an alarm that forbids it lets go at once, and forbids it as long as it stands', async () => {
    const { id } = await hold();
    gate.state.alarms.push('barrierHit');
    await said({ kind: 'alarm', name: 'barrierHit', data: { change: 'raised' } });
    await pass(500);
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock']);
    expect(told().at(-1)).toBe('lease.released alarm');
    await expect(dispatcher.renew(id, leader)).rejects.toMatchObject({ code: 'command.lease_over' });
    await expect(hold()).rejects.toMatchObject({
      code: 'command.interlock',
      detail: { alarm: 'barrierHit', words: { zh: '闸杆被撞，不能锁闭' } },
    });
    gate.state.alarms.pop();
    expect(await hold()).toMatchObject({ state: 'succeeded' });
  });

  test('F1 letting go is sent past a command of the output that is running', async () => {
    await hold();
    const { command } = gate.outputs;
    let answer = () => {};
    Object.assign(gate.outputs, {
      async command(...[device, name, input, turn]: Parameters<Outputs['command']>) {
        if (name !== 'endLock') return new Promise((resolve) => (answer = () => resolve({})));
        return command(device, name, input, turn);
      },
    });
    await dispatcher.send({ device: GATE, command: 'lockClosed' }, as('admin', 'user:admin'), 'slow');
    await pass(500);
    await said({ kind: 'state', name: 'link', data: { state: 'offline' } });
    await pass(500);
    expect(gate.state.sent).toEqual(['lockClosed', 'endLock']);
    answer();
    const audit = journal.read({ name: 'command.superseded', limit: 500 }).items;
    expect(audit.filter(({ seq }) => seq > mark)).toMatchObject([
      { actor: 'system:lease', data: { superseded: expect.any(String) } },
    ]);
  });
});
