/**
 * A flow does its worst beside a gate that is opened, an alarm that is raised, a booth that watches and a platform that
 * receives: each is timed while the flow does it, and compared with the same gateway before.
 */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Aedes } from 'aedes';
import type { CommandView, Status } from '../../runtime/contracts/api.ts';
import type { JournalRecord } from '../../runtime/contracts/record.ts';
import { escaped } from '../flows.fixture.ts';
import { isAlive } from '../launch.ts';
import { eventsOf, type Gateway, startGateway } from '../site.ts';
import { bodyOf } from '../uplink-receiver.ts';
import { flowsRun } from './processes.ts';
import { hold, type Size, type Trial } from './trial.ts';

const GATES = ['gate-east-in', 'gate-east-out'];
/** One in each round of measures: the third in a row would be chatter. */
const ALARMS = ['intrusion'] as const;
/** A gate may be moved six times a minute, and there are two. */
const ROUND_MS = { slice: 400, normal: 5200, long: 5200 };
const ROUNDS = { slice: 2, normal: 8, long: 60 };
/** Found within 12 s, three times, and the waits between. */
const OFF_WITHIN_MS = 90_000;
const ARRIVES_MS = 10_000;
/** Beside a peer on the same machine a moment earlier; noise of a busy one is a few of these. */
const FACTOR = 3;
const NOISE_MS = 150;

/** What a function node does, again and again; those of a slice come first. */
const faults: readonly (readonly [name: string, code: string, more?: object])[] = [
  ['process.exit', escaped('process.exit(1);')],
  ['endless loop', `setTimeout(() => { while (true) {} }, 1);`],
  ['loop of messages', 'return msg;', { wires: [['bad-code']] }],
  ['rejection', `Promise.reject(new Error('planted'));`],
  // The kernel refuses beyond its limit, and the flow lives on; this one keeps what it got.
  ['2 GB', `const all = []; try { for (;;) all.push(Buffer.alloc(64 << 20, 1)); } catch { context.set('all', all); }`],
  ['full heap', `const all = []; for (;;) all.push(new Array(1000).fill(0).map(() => ({ x: 1 })));`],
  ['slow leak', `context.set('all', [...(context.get('all') ?? []), Buffer.alloc(32 << 20, 1)]);`],
  ['hammer', `for (let n = 0; n < 2000; n++) node.send({ payload: 'open' });`, { wires: [['bad-gate']] }],
];
const SLICE = 1;

const at = (id: string, type: string, more: object) => ({ id, type, z: 'bad', x: 1, y: 1, wires: [], ...more });
const bad = (code: string, more: object = {}) => [
  { id: 'bad', type: 'tab', label: 'bad' },
  at('bad-go', 'inject', { once: true, onceDelay: 0.2, repeat: '0.5', props: [], wires: [['bad-code']] }),
  at('bad-code', 'function', { func: code, outputs: 1, timeout: 0, libs: [], wires: [[]], ...more }),
  at('bad-gate', 'gh-vehicle-gate', { pick: 'device', device: 'gate-east-in', records: [], command: 'open' }),
];

interface Times {
  readonly command: number[];
  readonly alarm: number[];
  readonly booth: number[];
  readonly uplink: number[];
}
const measures = ['command', 'alarm', 'booth', 'uplink'] as const;
const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

/** A booth and a platform that note when each record reached them, by this machine's one clock. */
interface Watch extends AsyncDisposable {
  arrived(where: 'booth' | 'uplink', what: string, fits: (record: JournalRecord) => boolean): Promise<number>;
}

async function watch(gateway: Gateway, broker: Aedes): Promise<Watch> {
  const waiting = new Set<(where: string, record: JournalRecord) => void>();
  const told = (where: string, record: JournalRecord) => {
    for (const look of waiting) look(where, record);
  };
  broker.on('publish', ({ topic, payload }) => {
    if (!/\/up\/(urgent|bulk)$/.test(topic)) return;
    for (const record of bodyOf(payload as Buffer).records as JournalRecord[]) told('uplink', record);
  });
  const ended = new AbortController();
  const response = await gateway.api('/stream', { as: 'demo-guard', signal: ended.signal });
  const reading = (async () => {
    for await (const record of eventsOf(response)) told('booth', record);
  })().catch(() => undefined); // ended by us, or told by the waits
  return {
    arrived(where, what, fits) {
      return new Promise((resolve, reject) => {
        const look = (place: string, record: JournalRecord) => {
          if (place !== where || !fits(record)) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve(Math.max(0, Date.now() - record.received));
        };
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`${what} did not come to the ${where}`));
        }, ARRIVES_MS);
        waiting.add(look);
      });
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await reading;
    },
  };
}

/** Opens a gate, raises an alarm, and waits for both wherever they have to come. @throws Error when one does not */
async function round(gateway: Gateway, watching: Watch, turn: number, times: Times): Promise<void> {
  const device = GATES[turn % GATES.length] ?? '';
  const began = performance.now();
  const done = ({ kind, data, device: of }: JournalRecord) =>
    kind === 'command' && of === device && (data as CommandView).state === 'succeeded';
  const both = Promise.all([
    watching.arrived('booth', 'the outcome', done),
    watching.arrived('uplink', 'the outcome', done),
  ]);
  both.catch(() => undefined); // told below
  const order = { device, command: 'open' };
  const key = { 'idempotency-key': crypto.randomUUID() };
  const { state } = await gateway.post<CommandView>('/commands?wait=10000', order, 'demo-guard', key);
  hold('R9', state === 'succeeded', `the gate did not open: ${state}`);
  times.command.push(performance.now() - began);
  const [booth, uplink] = await both;
  times.booth.push(booth);
  times.uplink.push(uplink);
  const cause = ALARMS[turn];
  if (cause === undefined) return;
  const raised = performance.now();
  const alarm = watching.arrived('booth', 'the alarm', ({ kind, device: of }) => kind === 'alarm' && of !== 'flows');
  alarm.catch(() => undefined); // told below
  await demo(gateway, cause);
  await alarm;
  times.alarm.push(performance.now() - raised);
  await demo(gateway, 'clear');
}

async function demo(gateway: Gateway, action: (typeof ALARMS)[number] | 'clear'): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await gateway.api(`/demo/${action}`, { method: 'POST', as: 'demo-guard', headers, body: '{}' });
  if (!response.ok) throw new Error(`${action}: ${response.status} ${await response.text()}`);
}

async function measure(gateway: Gateway, watching: Watch, size: Size): Promise<Times> {
  const times: Times = { command: [], alarm: [], booth: [], uplink: [] };
  for (let turn = 0; turn < ROUNDS[size]; turn++) {
    await round(gateway, watching, turn, times);
    await sleep(ROUND_MS[size]);
  }
  return times;
}

const rowOf = (name: string, times: Times): string =>
  `${name.padEnd(18)}${measures
    .map((one) => `${percentile(times[one], 0.5).toFixed(0)} / ${percentile(times[one], 0.99).toFixed(0)}`.padStart(14))
    .join('')}`;

async function until(what: string, check: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  while (!(await check())) {
    hold('R9', performance.now() - began < OFF_WITHIN_MS, `${what} within ${OFF_WITHIN_MS} ms`);
    await sleep(100);
  }
  return performance.now() - began;
}

export const flows: Trial = {
  id: 'flows',
  promises: ['R9', 'V2', 'V3', 'V4', 'N9'],
  about: 'a flow does its worst: gate, alarm, booth and platform go on as before, and that flow alone is off',
  async run({ size, say }) {
    await using stack = new AsyncDisposableStack();
    const broker = await Aedes.createBroker();
    const server = createServer({ noDelay: true }, broker.handle);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stack.defer(() => new Promise<void>((resolve) => void broker.close(() => server.close(() => resolve()))));
    const { port } = server.address() as { port: number };
    const gateway = stack.use(await startGateway({ env: { GATEHOUSE_UPLINK: `mqtt://127.0.0.1:${port}` } }));
    await flowsRun(gateway);
    const editor = await openEditor(gateway);
    const { flows: good } = (await editor('GET')) as { flows: object[] };
    const watching = stack.use(await watch(gateway, broker));
    const before = await measure(gateway, watching, size);
    say(`ms, p50 / p99    ${measures.map((one) => one.padStart(14)).join('')}`);
    say(rowOf('before', before));
    const stateOf = async () => (await gateway.json<Status>('/status')).flows;
    for (const [name, code, more] of size === 'slice' ? faults.slice(0, SLICE) : faults) {
      const { restarts } = await stateOf();
      await editor('POST', { flows: [...good, ...bad(code, more)] }).catch(() => undefined); // the flow may end it first
      const began = performance.now();
      const found = until(`${name} is found`, async () => (await stateOf()).restarts > restarts);
      found.catch(() => undefined); // told below
      const times = await measure(gateway, watching, size);
      say(rowOf(name, times));
      for (const one of measures) {
        const [was, is] = [percentile(before[one], 0.5), percentile(times[one], 0.5)];
        hold(
          'R9',
          is <= FACTOR * was + NOISE_MS,
          `${name}: ${one} takes ${is.toFixed(0)} ms, ${was.toFixed(0)} before`,
        );
      }
      const foundMs = await found;
      await until(`${name} is off`, async () => {
        const { off = [], state } = await stateOf();
        return state === 'running' && off.length === 1 && off[0]?.tab === 'bad';
      });
      const offMs = performance.now() - began;
      say(`  found after ${(foundMs / 1000).toFixed(1)} s, off after ${(offMs / 1000).toFixed(1)} s`);
      hold('R9', isAlive(gateway.pid), () => `the core ended:\n${gateway.text().slice(-2000)}`);
      await editor('POST', { flows: good });
      await until('the flows are well', async () => (await stateOf()).off === undefined);
    }
  },
};

/** The editor's API of a gateway in maintenance mode. */
async function openEditor(gateway: Gateway): Promise<(method: 'GET' | 'POST', body?: object) => Promise<unknown>> {
  const login = await fetch(`${gateway.url}/api/v1/sessions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json', 'x-gatehouse': '1' } },
    body: JSON.stringify({ name: 'demo-installer', password: gateway.password }),
  });
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
  await gateway.post('/maintenance', { minutes: 60, reason: 'trial' }, 'demo-installer');
  return async (method, body) => {
    const response = await fetch(`${gateway.url}/editor/flows`, {
      method,
      headers: { cookie, 'x-gatehouse': '1', 'content-type': 'application/json', 'node-red-api-version': 'v2' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} flows: ${response.status} ${await response.text()}`);
    return response.json();
  };
}
