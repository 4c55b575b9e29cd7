import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import type { CommandInput, CommandView } from '../contracts/api.ts';
import type { Scalar, Sender } from '../contracts/contract.ts';
import { GatehouseError } from '../errors.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { Dispatcher, type Outputs, schema } from './dispatcher.ts';
import { priorityOf } from './intent.ts';
import { createStore } from './store.ts';

/** A barrier as the dispatcher sees it: what was sent, and what can be read back. */
function barrier() {
  const state = {
    pulses: [] as string[],
    arm: 'closed' as string | undefined,
    alarms: [] as string[],
    latest: { loopOccupied: false } as Record<string, Scalar>,
    /** What sending does. */
    answer: async (): Promise<Record<string, unknown>> => ({}),
    moves: true,
    /** Before it says where the arm is. */
    reads: async () => {},
    /** Held up before the line is ours. */
    queue: async () => {},
  };
  const outputs: Outputs = {
    target(id) {
      if (!id.startsWith('gate-')) throw new GatehouseError('device.not_found', `No device ${id}`);
      return { id, scenario: 'vehicle-gate', commands: ['open', 'close', 'lockOpen', 'endHold'] };
    },
    latest: (_device, point) => state.latest[point],
    alarmed: (_device, _scenario, alarm) => state.alarms.includes(alarm),
    forbidden: () => undefined,
    async command(_device, command, _input, turn) {
      await state.queue();
      await turn.begin();
      state.pulses.push(command);
      const answer = await state.answer();
      if (command === 'open' && state.moves && state.arm) state.arm = 'open';
      return answer;
    },
    async read() {
      await state.reads();
      if (state.arm === undefined) throw new GatehouseError('driver.timeout', 'silent');
      return [{ point: 'barrierState', value: state.arm }];
    },
    async setting() {},
  };
  return { state, outputs };
}

let directory: string;
let clock: ManualClock;
let journal: Journal;
let dispatcher: Dispatcher;
let board: ReturnType<typeof barrier>;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-commands-'));
  clock = manualClock();
  board = barrier();
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(directory, { recursive: true, force: true });
});
async function start() {
  journal = await Journal.open({ directory, clock, log: silentLog, schema: [schema] });
  dispatcher = new Dispatcher({ journal, outputs: board.outputs, clock, log: silentLog });
}
async function stop() {
  await dispatcher.stop();
  await journal[Symbol.asyncDispose]();
}

const guard = { actor: 'user:demo-guard', sender: 'guard' } as const;
const flow = { actor: 'flow:lane', sender: 'flow' } as const;
const platform = { actor: 'platform:city', sender: 'platform' } as const;
const open: CommandInput = { device: 'gate-east-in', command: 'open' };
const states = () => journal.read({ kind: ['command'] }).items.map((record) => (record.data as CommandView).state);
const refusals = () =>
  journal
    .read({ kind: ['audit'], name: 'command.refused' })
    .items.map((record) => (record.data as { code: string }).code);

/** Lets time pass until the command is final. */
async function outcome(accepted: CommandView): Promise<CommandView> {
  let last: CommandView | undefined;
  const settled = dispatcher.settled(accepted.id).then((view) => (last = view));
  for (let step = 0; step < 400 && !last; step++) {
    await clock.advance(100);
    await journal.append();
  }
  return settled;
}

describe('from intent to outcome', () => {
  test('C3 C6 accepted, executing, succeeded: each durable, proven by reading back', async () => {
    const accepted = await dispatcher.send({ ...open, reason: '访客' }, guard, 'k1');
    expect(accepted).toMatchObject({ state: 'accepted', actor: 'user:demo-guard', reason: '访客' });
    expect(await outcome(accepted)).toMatchObject({ state: 'succeeded', proven: true });
    expect(states()).toEqual(['accepted', 'executing', 'succeeded']);
    expect(board.state.pulses).toEqual(['open']);
  });

  test('C6 an arm that does not move is a failure, not a success', async () => {
    board.state.moves = false;
    const view = await outcome(await dispatcher.send(open, guard, 'k1'));
    expect(view).toMatchObject({ state: 'failed', code: 'command.unproven' });
  });

  test('C3 sent, and the device says nothing more: unknown, never sent again', async () => {
    board.state.answer = () => {
      board.state.arm = undefined;
      return Promise.reject(new GatehouseError('driver.timeout', 'no answer in 1000 ms'));
    };
    expect(await outcome(await dispatcher.send(open, guard, 'k1'))).toMatchObject({
      state: 'unknown',
      code: 'driver.timeout',
    });
    expect(board.state.pulses).toEqual(['open']);
    expect(states()).toEqual(['accepted', 'executing', 'unknown']);
  });

  test('C6 no answer, but the arm is seen open: it did happen', async () => {
    board.state.answer = () => {
      board.state.arm = 'open';
      return Promise.reject(new GatehouseError('driver.timeout', 'no answer in 1000 ms'));
    };
    expect(await outcome(await dispatcher.send(open, guard, 'k1'))).toMatchObject({ state: 'succeeded', proven: true });
  });

  test('a device that refuses has failed at once', async () => {
    board.state.answer = () => Promise.reject(new GatehouseError('driver.refused', 'exception 2'));
    expect(await outcome(await dispatcher.send(open, guard, 'k1'))).toMatchObject({
      state: 'failed',
      code: 'driver.refused',
    });
  });
});

describe('one flush on the way to the gate', () => {
  const together = () => {
    const batches: string[][] = [];
    journal.onCommit((records) =>
      batches.push(records.flatMap(({ kind, data }) => (kind === 'command' ? (data as CommandView).state : []))),
    );
    return batches;
  };

  test('an output that is free begins in the transaction that accepts', async () => {
    const batches = together();
    await outcome(await dispatcher.send(open, guard, 'k1'));
    expect(batches[0]).toEqual(['accepted', 'executing']);
  });

  test('one that is busy is accepted at once and begins in its turn', async () => {
    let release = () => {};
    board.state.queue = () => new Promise((resolve) => (release = resolve));
    const batches = together();
    const accepted = await dispatcher.send(open, guard, 'k1');
    expect(batches).toEqual([['accepted']]);
    release();
    await outcome(accepted);
    expect(states()).toEqual(['accepted', 'executing', 'succeeded']);
  });

  test.each([true, false])('what the disk does not take is not begun (free: %s)', async (free) => {
    let release = () => {};
    if (!free) board.state.queue = () => new Promise((resolve) => (release = resolve));
    const full = new GatehouseError('journal.full', 'disk full');
    const commit = vi.spyOn(journal, 'commit').mockRejectedValue(full);
    await expect(dispatcher.send(open, guard, 'k1')).rejects.toBe(full);
    commit.mockRestore();
    release();
    board.state.queue = async () => {};
    expect(await outcome(await dispatcher.send(open, guard, 'k1'))).toMatchObject({ state: 'succeeded' });
    expect(board.state.pulses).toEqual(['open']);
    expect(states()).toEqual(['accepted', 'executing', 'succeeded']);
  });
});

describe('never late, never twice', () => {
  test('C1 the same key and body: one pulse, the same answer, also after it is final', async () => {
    const [one, two] = await Promise.all([dispatcher.send(open, guard, 'k1'), dispatcher.send(open, guard, 'k1')]);
    expect(two.id).toBe(one.id);
    await outcome(one);
    expect(await dispatcher.send(open, guard, 'k1')).toMatchObject({ id: one.id, state: 'succeeded' });
    expect(board.state.pulses).toEqual(['open']);
  });

  test('C1 the same key for something else is a conflict; another actor has keys of its own', async () => {
    await outcome(await dispatcher.send(open, guard, 'k1'));
    await expect(dispatcher.send({ ...open, command: 'close' }, guard, 'k1')).rejects.toMatchObject({
      code: 'command.conflict',
    });
    expect((await dispatcher.send(open, flow, 'k1')).actor).toBe('flow:lane');
  });

  test('C2 a line that is busy past the deadline: expired, nothing sent', async () => {
    let release = () => {};
    board.state.queue = () => new Promise((resolve) => (release = resolve));
    const accepted = await dispatcher.send(open, guard, 'k1');
    await clock.advance(5001);
    release();
    expect(await outcome(accepted)).toMatchObject({ state: 'expired' });
    expect(board.state.pulses).toEqual([]);
  });

  test('C2 a wall clock set forward by an hour expires nothing', async () => {
    let release = () => {};
    board.state.queue = () => new Promise((resolve) => (release = resolve));
    const accepted = await dispatcher.send(open, guard, 'k1');
    clock.step(3600_000);
    release();
    expect(await outcome(accepted)).toMatchObject({ state: 'succeeded' });
  });

  test('C4 accepted before a crash: expired; executing: proved or unknown; nothing is sent', async () => {
    let reached = () => {};
    const waiting = new Promise<void>((resolve) => (reached = resolve));
    board.state.answer = () => {
      reached();
      return new Promise(() => {});
    };
    const executing = await dispatcher.send(open, guard, 'k1');
    await waiting;
    board.state.queue = () => new Promise(() => {});
    const accepted = await dispatcher.send({ ...open, device: 'gate-east-out' }, guard, 'k2');
    await journal[Symbol.asyncDispose](); // the process is gone; the timers of the old dispatcher stand still with the clock
    board.state.arm = 'closed';
    await start();
    await dispatcher.recover();
    expect(await dispatcher.settled(executing.id)).toMatchObject({ state: 'unknown' });
    expect(dispatcher.get(accepted.id)).toMatchObject({ state: 'expired' });
    expect(await dispatcher.send(open, guard, 'k1')).toMatchObject({ id: executing.id, state: 'unknown' });
    expect(board.state.pulses).toEqual(['open']);
  });

  test('C3 a command that comes before the recovery has begun is not one left behind', async () => {
    await journal[Symbol.asyncDispose]();
    await start();
    let go = () => {};
    board.state.queue = () => new Promise((resolve) => (go = resolve));
    const early = await dispatcher.send(open, guard, 'k1');
    await dispatcher.recover();
    go();
    expect(await outcome(early)).toMatchObject({ state: 'succeeded' });
    expect(states()).toEqual(['accepted', 'executing', 'succeeded']);
  });

  test('R8 a device that does not answer does not hold up the start; its command ends as unknown', async () => {
    let reached = () => {};
    const waiting = new Promise<void>((resolve) => (reached = resolve));
    board.state.answer = () => {
      reached();
      return new Promise(() => {});
    };
    const { id } = await dispatcher.send(open, guard, 'k1');
    await waiting;
    await journal[Symbol.asyncDispose]();
    board.state.arm = undefined;
    await start();
    await dispatcher.recover();
    expect(dispatcher.get(id)).toMatchObject({ state: 'executing' });
    expect(await outcome(dispatcher.get(id))).toMatchObject({ state: 'unknown' });
  });

  test('C5 what was left open ends, though the disk is full at the start and takes the end only later', async () => {
    board.state.answer = () => new Promise(() => {});
    const { id } = await dispatcher.send(open, guard, 'k1');
    await journal[Symbol.asyncDispose]();
    board.state.arm = 'closed';
    await start();
    const full = new GatehouseError('journal.full', 'disk full');
    const commit = vi.spyOn(journal, 'commit').mockRejectedValue(full);
    await dispatcher.recover().catch(() => undefined);
    const isEnd = ([unit]: Parameters<typeof journal.commit>) => unit.records?.some(({ kind }) => kind === 'command');
    await vi.waitFor(() => expect(commit.mock.calls.some(isEnd)).toBe(true));
    expect(dispatcher.get(id)).toMatchObject({ state: 'executing' });
    commit.mockRestore();
    expect(await outcome(dispatcher.get(id))).toMatchObject({ state: 'unknown' });
    expect(states().filter((state) => state === 'unknown')).toHaveLength(1);
  });

  test.each(['never answers', 'answers after the deadline'])(
    'C5 a driver that %s and takes no notice of the abort: one end, two seconds after the deadline at most',
    async (how) => {
      let late = () => {};
      board.state.answer = () => new Promise((resolve) => (late = () => resolve({})));
      board.state.reads = () => new Promise(() => {});
      const { id } = await dispatcher.send({ ...open, deadlineMs: 3000 }, guard, 'k1');
      const began = clock.mono();
      expect(await outcome(dispatcher.get(id))).toMatchObject({ state: 'unknown', code: 'driver.timeout' });
      expect(clock.mono() - began).toBeLessThanOrEqual(5000);
      if (how.startsWith('answers')) late();
      await clock.advance(60_000);
      expect(states()).toEqual(['accepted', 'executing', 'unknown']);
      expect(await outcome(await dispatcher.send({ ...open, command: 'close' }, guard, 'k2'))).toBeDefined();
    },
  );

  test('C5 a line that never comes free: expired at the deadline, and what comes free later sends nothing', async () => {
    let release = () => {};
    board.state.queue = () => new Promise((resolve) => (release = resolve));
    const accepted = await dispatcher.send({ ...open, deadlineMs: 3000 }, guard, 'k1');
    await clock.advance(3000);
    await journal.append();
    expect(dispatcher.get(accepted.id)).toMatchObject({ state: 'expired', code: 'command.expired' });
    release();
    await clock.advance(10_000);
    expect(board.state.pulses).toEqual([]);
    expect(states()).toEqual(['accepted', 'expired']);
  });

  test('C5 an end the disk does not take at first is recorded once it does', async () => {
    let answered = () => {};
    board.state.answer = () => new Promise((resolve) => (answered = () => resolve({})));
    const accepted = await dispatcher.send(open, guard, 'k1');
    await clock.advance(0);
    const commit = vi.spyOn(journal, 'commit').mockRejectedValue(new GatehouseError('journal.write', 'I/O error'));
    board.state.arm = 'open';
    answered();
    await clock.advance(500);
    commit.mockRestore();
    expect(await outcome(accepted)).toMatchObject({ state: 'succeeded' });
    expect(states()).toEqual(['accepted', 'executing', 'succeeded']);
  });

  test('C1 keys are kept for seven days, and the newest of them in any case', async () => {
    const day = 24 * 3600_000;
    const store = createStore(journal.db);
    const kept = () => store.list({ limit: 100 }).length;
    for (let n = 0; n < 4; n++) await outcome(await dispatcher.send(open, guard, `k${n}`));
    expect(store.forgetting(clock.now() + 6 * day, 1)).toBeUndefined();
    expect(store.forgetting(clock.now() + 8 * day)).toBeUndefined(); // fewer than a hundred thousand
    const write = store.forgetting(clock.now() + 8 * day, 3);
    await journal.commit({ writes: write ? [write] : [] });
    expect(kept()).toBe(3);
    expect(store.find(guard.actor, 'k0')).toBeUndefined();
    expect(store.find(guard.actor, 'k1')).toBeDefined();
  });

  test('C5 every command has exactly one final state', async () => {
    for (let n = 0; n < 5; n++) await outcome(await dispatcher.send(open, guard, `k${n}`));
    const finals = states().filter((state) => state !== 'accepted' && state !== 'executing');
    expect(finals).toHaveLength(5);
  });
});

describe('what is refused is refused now, and recorded', () => {
  test('C7 one command in flight per output; a higher priority takes over, and the record names both', async () => {
    board.state.queue = () => new Promise(() => {});
    const first = await dispatcher.send(open, flow, 'k1');
    await expect(dispatcher.send(open, platform, 'k2')).rejects.toMatchObject({ code: 'command.busy' });
    await expect(dispatcher.send(open, flow, 'k2b')).rejects.toMatchObject({ code: 'command.busy' });
    board.state.queue = async () => {};
    const second = await dispatcher.send(open, guard, 'k3');
    expect(await outcome(second)).toMatchObject({ state: 'succeeded' });
    expect(dispatcher.get(first.id)).toMatchObject({ state: 'failed', code: 'command.superseded' });
    expect(refusals()).toEqual(['command.busy', 'command.busy']);
    expect(journal.read({ name: 'command.superseded' }).items).toMatchObject([
      { kind: 'audit', actor: guard.actor, data: { by: second.id, superseded: first.id } },
    ]);
    expect(board.state.pulses).toEqual(['open']);
  });

  test('C7 what was already sent when it was taken over ends once, as unknown', async () => {
    board.state.answer = () => new Promise(() => {}); // the driver takes no notice
    const first = await dispatcher.send(open, flow, 'k1');
    board.state.answer = async () => ({});
    const second = await dispatcher.send({ ...open, command: 'close' }, guard, 'k2');
    board.state.arm = 'closed';
    expect(await outcome(second)).toMatchObject({ state: 'succeeded' });
    expect(dispatcher.get(first.id)).toMatchObject({ state: 'unknown', code: 'command.superseded' });
    const own = (id: string) =>
      journal
        .read({ kind: ['command'] })
        .items.filter(({ data }) => (data as { command: string }).command === id)
        .map(({ data }) => (data as CommandView).state);
    expect(own(first.id)).toEqual(['accepted', 'executing', 'unknown']);
    expect(own(second.id)).toEqual(['accepted', 'executing', 'succeeded']);
  });

  test('C7 fire before the person who sees the lane, before a leader, before flows, before platforms', () => {
    const order: Sender[] = ['linkage', 'guard', 'shift-leader', 'flow', 'platform'];
    expect(order.toSorted((a, b) => priorityOf(b) - priorityOf(a))).toEqual(order);
    expect(new Set(order.map(priorityOf)).size).toBe(order.length);
  });

  test('C9 the seventh opening within a minute is refused, an opening that a vehicle used does not count', async () => {
    for (let n = 0; n < 6; n++) {
      const view = await outcome(await dispatcher.send(open, guard, `k${n}`));
      if (n === 0) {
        await journal.append({
          lane: 'L1',
          kind: 'event',
          scenario: 'vehicle-gate',
          device: 'gate-east-in',
          name: 'passage',
          data: { command: view.id },
        });
      }
    }
    await outcome(await dispatcher.send(open, guard, 'used'));
    await expect(dispatcher.send(open, guard, 'k7')).rejects.toMatchObject({ code: 'command.rate' });
    await clock.advance(60_000);
    await outcome(await dispatcher.send(open, guard, 'k8'));
  });

  test('C9 a safety linkage and the emergency opening are never too often', async () => {
    const hold = { ...open, command: 'lockOpen', input: { holdSeconds: 60 } };
    board.state.answer = async () => {
      board.state.arm = 'open';
      return {};
    };
    const fire = { actor: 'linkage:L02', sender: 'linkage' } as const;
    for (let n = 0; n < 8; n++) await outcome(await dispatcher.send(hold, fire, `fire-${n}`));
    for (let n = 0; n < 8; n++) await outcome(await dispatcher.emergencyOpen(open, 'booth:east', `booth-${n}`));
    expect(board.state.pulses).toHaveLength(16);
    for (let n = 0; n < 6; n++) await outcome(await dispatcher.send(open, guard, `k${n}`));
    await expect(dispatcher.send(open, guard, 'k7')).rejects.toMatchObject({ code: 'command.rate' });
  });

  test('F8 an emergency opening while fire already holds it open is that opening', async () => {
    board.state.answer = () => new Promise(() => {});
    const fire = { actor: 'linkage:L02', sender: 'linkage' } as const;
    const hold = await dispatcher.send({ ...open, command: 'lockOpen', input: { holdSeconds: 60 } }, fire, 'fire');
    expect((await dispatcher.emergencyOpen(open, 'booth:east', 'press')).id).toBe(hold.id);
    expect(board.state.pulses).toEqual(['lockOpen']);
  });

  test('R7 what makes safe is carried out while the disk takes nothing, once, and recorded when it does', async () => {
    const hold = { ...open, command: 'lockOpen', input: { holdSeconds: 60 } };
    const commit = vi.spyOn(journal, 'commit').mockRejectedValue(new GatehouseError('journal.write', 'read-only'));
    await expect(dispatcher.send(open, guard, 'k1')).rejects.toMatchObject({ code: 'journal.write' });
    const first = await dispatcher.send(hold, guard, 'k2');
    expect((await dispatcher.send(hold, guard, 'k2')).id).toBe(first.id);
    await clock.advance(0);
    expect(board.state.pulses).toEqual(['lockOpen']);
    expect(states()).toEqual([]);
    commit.mockRestore();
    await outcome(first);
    await clock.advance(5000);
    await journal.append();
    expect(states().slice(0, 2)).toEqual(['accepted', 'executing']);
    expect(dispatcher.get(first.id).state).not.toBe('executing');
    expect((await dispatcher.send(hold, guard, 'k2')).id).toBe(first.id);
    expect(board.state.pulses).toEqual(['lockOpen']);
  });

  test('unknown device or command, wrong input, wrong sender, a vehicle on the loop', async () => {
    const refused = (input: CommandInput, who: Parameters<Dispatcher['send']>[1] = guard) =>
      dispatcher.send(input, who, crypto.randomUUID());
    await expect(refused({ ...open, device: 'nothing' })).rejects.toMatchObject({ code: 'device.not_found' });
    await expect(refused({ ...open, command: 'explode' })).rejects.toMatchObject({ code: 'command.unsupported' });
    await expect(refused({ ...open, input: { force: true } })).rejects.toMatchObject({ code: 'command.invalid' });
    await expect(refused({ ...open, command: 'lockOpen', input: { holdSeconds: 99_999 } })).rejects.toThrow(
      'holdSeconds',
    );
    await expect(refused({ ...open, command: 'close' }, flow)).rejects.toMatchObject({ code: 'command.forbidden' });
    board.state.latest.loopOccupied = true;
    await expect(refused({ ...open, command: 'close' })).rejects.toMatchObject({
      code: 'command.interlock',
      detail: { words: { zh: '地感有车，不能关闸' } },
    });
    expect(refusals()).toHaveLength(6);
    expect(board.state.pulses).toEqual([]);
  });

  test('a reason chosen afterwards stays with the command', async () => {
    const { id } = await dispatcher.send(open, guard, 'k1');
    await dispatcher.annotate(id, { reason: 'delivery' }, guard);
    await outcome(dispatcher.get(id));
    expect(dispatcher.get(id)).toMatchObject({ state: 'succeeded', reason: 'delivery' });
    expect(journal.read({ name: 'command.reason' }).items).toMatchObject([{ cause: id, data: { reason: 'delivery' } }]);
  });
});
