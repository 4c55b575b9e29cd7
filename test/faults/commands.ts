/**
 * A relay board that counts, a core that is killed at every point of a command's life: before the byte to the device, while it
 * is out, after its answer. Whatever is told afterwards must be what the board saw: never twice, never late, and `unknown`
 * only where nobody could know (C1-C5); what was held is let go by the next life (F1).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import type { Request } from '../../drivers/modbus/frame.ts';
import { ModbusSimulator, RelayBoard } from '../../drivers/modbus/simulator.ts';
import type { CommandView } from '../../runtime/contracts/api.ts';
import { type CommandState, finalStates, kinds } from '../../runtime/contracts/record.ts';
import type { Ask, Told } from './commands-child.ts';
import { hold, pick, type Trial } from './trial.ts';

const ROUNDS = { slice: 8, normal: 80, long: 600 };
const READY_MS = 30_000;
const SETTLED_MS = 30_000;
const GATE = 'gate';
const OPEN_LIMIT = 0;
const CLOSED_LIMIT = 1;
/** As the profile addresses them: pulses of relay 1 and 2, relay 2 off. */
const OPEN = 0x0200;
const LOCK = 0x0201;
const END_LOCK = 0x0001;
/** From the last look at the deadline to the board's own log. */
const LATE_MS = 400;
const MISSED_MS = 300;

/** When the process is killed. */
const points = [
  'at once',
  'accepted, while the line is busy',
  'executing',
  'the byte has come',
  'the byte has come, and its answer is lost',
  'right after the answer',
  'some time after the answer',
  'final',
] as const;
type Point = (typeof points)[number];

interface Write {
  readonly address: number;
  readonly at: number;
}

/** The board: what it was made to do, when, and somebody who wants to know at once. */
class CountingBoard extends RelayBoard {
  readonly writes: Write[] = [];
  readonly limits: boolean[];
  /** A write has come and is not answered yet. @returns whether the answer is sent */
  onArrival: () => void = () => {};
  onAnswered: () => void = () => {};

  constructor() {
    const limits = [false, true, false, false];
    super(8, { get: (address) => limits[address] ?? false, set: () => undefined });
    this.limits = limits;
  }

  override answer(request: Request): Buffer {
    const pdu = super.answer(request);
    if (request.function !== 5) return pdu;
    this.writes.push({ address: request.address, at: performance.now() });
    if (request.address === OPEN) this.stand(OPEN_LIMIT);
    if (request.address === LOCK) this.stand(CLOSED_LIMIT);
    this.onArrival();
    setImmediate(() => this.onAnswered());
    return pdu;
  }

  stand(limit: number): void {
    this.limits[OPEN_LIMIT] = limit === OPEN_LIMIT;
    this.limits[CLOSED_LIMIT] = limit === CLOSED_LIMIT;
  }
}

interface Core extends AsyncDisposable {
  readonly child: ChildProcess;
  kill(): void;
  readonly gone: Promise<void>;
  /** The first thing told from now on that fits; rejects when the process ends before. */
  told(fits: (told: Told) => boolean, withinMs: number): Promise<Told>;
  ask(ask: Ask): void;
}

async function startCore(directory: string, port: number): Promise<Core> {
  const child = fork(fileURLToPath(new URL('./commands-child.ts', import.meta.url)), [directory, String(port)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    serialization: 'advanced',
  });
  const listeners = new Set<(told: Told) => void>();
  child.on('message', (message: Told) => {
    for (const listener of listeners) listener(message);
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const core: Core = {
    child,
    gone,
    kill: () => void child.kill('SIGKILL'),
    told(fits, withinMs) {
      return new Promise((resolve, reject) => {
        const fail = (why: string) => {
          done();
          reject(new Error(why));
        };
        const timer = setTimeout(() => fail(`not told in ${withinMs} ms`), withinMs);
        const look = (told: Told) => {
          if (!fits(told)) return;
          done();
          resolve(told);
        };
        const done = () => {
          clearTimeout(timer);
          listeners.delete(look);
        };
        void gone.then(() => fail('the core has gone'));
        listeners.add(look);
      });
    },
    ask: (ask) => void child.send(ask, () => undefined),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
    },
  };
  await core.told((one) => 'ready' in one, READY_MS);
  return core;
}

/** Kills at this point of the life of the next command. */
function aim(point: Point, core: Core, board: CountingBoard, random: () => number): void {
  const kill = () => core.kill();
  const when = (state: CommandState) =>
    void core.told((one) => 'state' in one && one.state.state === state, SETTLED_MS).then(kill, () => undefined);
  const soon = (most: number) => setTimeout(kill, pick(random, most));
  const onceAnswered = (act: () => void) => {
    board.onAnswered = () => {
      board.onAnswered = () => {};
      act();
    };
  };
  switch (point) {
    case 'at once':
      soon(25);
      return;
    case 'accepted, while the line is busy':
      board.behaviour = { silent: true };
      when('accepted');
      return;
    case 'executing':
      when(point);
      return;
    case 'the byte has come':
      board.onArrival = kill;
      return;
    case 'the byte has come, and its answer is lost':
      board.onArrival = () => {
        board.behaviour = { silent: true };
        soon(900);
      };
      return;
    case 'right after the answer':
      onceAnswered(kill);
      return;
    case 'some time after the answer':
      onceAnswered(() => soon(60));
      return;
    case 'final':
      void core
        .told((one) => 'state' in one && finalStates.includes(one.state.state), SETTLED_MS)
        .then(kill, () => undefined);
  }
}

interface Found {
  readonly view: CommandView;
  readonly states: readonly CommandState[];
}

/** The states of the command with this key, as they are recorded; none if it was never accepted. */
function recorded(file: string, key: string): Found | undefined {
  const db = new Database(file, { readonly: true });
  try {
    const row = db.prepare<[string], { view: string }>('SELECT view FROM command WHERE key = ?').get(key);
    if (!row) return undefined;
    const view = JSON.parse(row.view) as CommandView;
    const states = db
      .prepare<[string], { state: CommandState }>(
        `SELECT data ->> '$.state' AS state FROM record
         WHERE kind = ${kinds.indexOf('command')} AND data ->> '$.command' = ? ORDER BY pos`,
      )
      .all(view.id)
      .map(({ state }) => state);
    return { view, states };
  } finally {
    db.close();
  }
}

function isHolding(file: string): boolean {
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare('SELECT 1 FROM lease').get() !== undefined;
  } finally {
    db.close();
  }
}

const isFinal = (found: Found | undefined) => found !== undefined && finalStates.includes(found.view.state);

async function settled(file: string, key: string): Promise<Found | undefined> {
  for (const end = performance.now() + SETTLED_MS; ; await sleep(25)) {
    const found = recorded(file, key);
    if (found === undefined || isFinal(found)) return found;
    hold('C5', performance.now() < end, `${key} has no end: ${found.states.join(', ')}`);
  }
}

export const commands: Trial = {
  id: 'commands',
  promises: ['C1', 'C2', 'C3', 'C4', 'C5', 'F1'],
  about: 'kill -9 before, during and after the byte to the device: the board counts what was done',
  async run({ random, size, say }) {
    await using stack = new AsyncDisposableStack();
    const directory = mkdtempSync(join(tmpdir(), 'gh-orders-'));
    stack.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
    const file = join(directory, 'gatehouse.db');
    const board = new CountingBoard();
    const simulator = new ModbusSimulator([[1, board]]);
    stack.defer(() => simulator.close());
    const port = await simulator.listenTcp();
    let core = stack.use(await startCore(directory, port));
    const tally: Partial<Record<CommandState | 'never', number>> = {};

    for (let round = 0; round < ROUNDS[size]; round++) {
      const point = points[round % points.length] ?? 'at once';
      const holds = pick(random, 3) === 0;
      const [command, address] = holds ? (['lockClosed', LOCK] as const) : (['open', OPEN] as const);
      board.behaviour = {};
      board.onArrival = () => {};
      board.stand(holds ? OPEN_LIMIT : CLOSED_LIMIT);
      const seen = board.writes.length;
      const key = `round-${round}`;
      const deadlineMs = 1500 + pick(random, 2000);
      const input = { device: GATE, command, deadlineMs };
      const ask: Ask = { key, input, sender: holds ? 'shift-leader' : 'guard' };
      aim(point, core, board, random);
      // It may be refused, or expire on a machine that is busy: then there is no such point.
      const { kill } = core;
      const over = (one: Told) => 'refused' in one || ('state' in one && finalStates.includes(one.state.state));
      void core.told(over, SETTLED_MS).then(() => setTimeout(kill, MISSED_MS), kill);
      const asked = performance.now();
      core.ask(ask);
      await core.gone;
      await sleep(20); // what was on the wire has arrived
      const during = board.writes.slice(seen);
      const named = `${key} (${command}, killed: ${point})`;
      hold(
        'C4',
        during.every((one) => one.address === address),
        () => `${named}: something else was done`,
      );

      board.behaviour = {};
      board.onArrival = () => {};
      core = stack.use(await startCore(directory, port));
      const found = await settled(file, key);
      const told = found ? `${named} is told ${found.states.join(', ')}` : named;
      hold('C3', found !== undefined || during.length === 0, `${named} was done and is not recorded at all`);
      if (found) {
        const answer = core.told((one) => 'key' in one && one.key === key, SETTLED_MS);
        core.ask(ask);
        const again = await answer;
        const same = 'view' in again && again.view.id === found.view.id && again.view.state === found.view.state;
        hold('C1', same, () => `${told}, and asked again it answers ${JSON.stringify(again)}`);
        check(found, told);
      }
      const state = found?.view.state ?? 'never';
      tally[state] = (tally[state] ?? 0) + 1;
      await letGo(told, found);

      function check({ view, states }: Found, told: string): void {
        const all = board.writes.slice(seen).filter((one) => one.address === address);
        hold('C4', all.length <= 1, () => `${told} and was done ${all.length} times`);
        hold('C4', all.length === during.length, () => `${told} and was done by the next life`);
        hold('C3', states[0] === 'accepted' && states.length === new Set(states).size, told);
        hold('C5', states.filter((state) => finalStates.includes(state)).length === 1, told);
        hold('C3', all.length === 0 || states.includes('executing'), `${told} and was done`);
        hold('C4', !['expired', 'failed'].includes(view.state) || all.length === 0, `${told} and was done`);
        hold('C4', view.state !== 'succeeded' || all.length === 1, `${told} and was not done`);
        for (const { at } of all) {
          const late = at - asked - deadlineMs;
          hold('C2', late <= LATE_MS, `${told} and was done ${Math.round(late)} ms after its deadline`);
        }
      }

      /** What may be held is let go by the next life, and by nothing else. */
      async function letGo(told: string, found: Found | undefined): Promise<void> {
        const released = () => board.writes.slice(seen).filter((one) => one.address === END_LOCK).length;
        const isHeld = holds && found?.states.includes('executing') === true;
        for (const end = performance.now() + SETTLED_MS; isHolding(file); await sleep(20))
          hold('F1', performance.now() < end, `${told} and is not let go`);
        hold('F1', !isHeld || released() > 0, `${told} and was never let go`);
        // Once more if the core was killed between the byte and its record.
        if (found) hold('F1', released() <= (isHeld ? 2 : 0), `${told} and was let go ${released()} times`);
      }
    }
    say(
      `told after the kill: ${Object.entries(tally)
        .map(([state, count]) => `${state} ${count}`)
        .join(', ')}`,
    );
    hold('C4', (tally.unknown ?? 0) + (tally.succeeded ?? 0) > 0, 'no command had begun when the core was killed');
  },
};
