/** A whole gateway as its own process, on free loopback ports and a data directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandView, DeviceView, RecordsPage } from '../runtime/contracts/api.ts';
import type { JournalRecord } from '../runtime/contracts/record.ts';
import { endCompound } from './compound.ts';

const PASSWORD = 'Kestrel-4417-lane';
const PIN = '472901';
const TOKEN = 'trial-token-of-the-demo-platform-0001';
const PATIENCE_MS = 60_000;

export interface GatewayOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Keep the data of an earlier gateway. */
  readonly data?: string;
  /** Milliseconds between cars that come by themselves; 0, the default here, for none. */
  readonly cars?: number;
  readonly args?: readonly string[];
}
/** What the core tells its parent once it listens. */
export interface Listening {
  readonly url: string;
  readonly devices: string;
  readonly mqtt: string;
}
export interface Gateway extends AsyncDisposable {
  readonly url: string;
  readonly devices: string;
  readonly mqtt: string;
  readonly data: string;
  readonly pin: string;
  readonly password: string;
  readonly token: string;
  readonly pid: number;
  /** Everything on its console so far. */
  text(): string;
  /** Calls the API as `demo-platform` (bearer), or as another account by password. */
  api(path: string, init?: RequestInit & { readonly as?: string }): Promise<Response>;
  json<T>(path: string, init?: RequestInit & { readonly as?: string }): Promise<T>;
  post<T>(path: string, body: object, as?: string, headers?: Record<string, string>): Promise<T>;
  device(id: string): Promise<DeviceView>;
  /** The first record from `after` on that fits; waits for it. */
  record(fits: (record: JournalRecord) => boolean, after?: string): Promise<JournalRecord>;
  /** Every record there is, read page by page. */
  records(query?: string): Promise<JournalRecord[]>;
  open(device: string, key?: string): Promise<CommandView>;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Asks it to stop and waits; the data stays until disposal. */
  stop(): Promise<number | string>;
}

/** Starts `runtime/main.ts` in demo mode (or with `--site`) and waits until it is ready. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'gh-site-'));
  const main = fileURLToPath(new URL('../runtime/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...(options.args ?? [])], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      GATEHOUSE_DATA: data,
      GATEHOUSE_HTTP: '127.0.0.1:0',
      GATEHOUSE_DEVICES: '127.0.0.1:0',
      GATEHOUSE_MQTT: '127.0.0.1:0',
      GATEHOUSE_DEMO_PASSWORD: PASSWORD,
      GATEHOUSE_DEMO_PIN: PIN,
      GATEHOUSE_DEMO_TOKEN: TOKEN,
      GATEHOUSE_DEMO_CARS: String(options.cars ?? 0),
      GATEHOUSE_LOG: 'warn',
      ...options.env,
    },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const listening = await heard(child, () => text);
  const sessions = new Map<string, string>();

  async function login(name: string): Promise<string> {
    const known = sessions.get(name);
    if (known) return known;
    const response = await fetch(`${listening.url}/api/v1/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-gatehouse': '1' },
      body: JSON.stringify({ name, password: PASSWORD }),
    });
    if (!response.ok) throw new Error(`log-in of ${name}: ${response.status} ${await response.text()}`);
    const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? '';
    sessions.set(name, cookie);
    return cookie;
  }

  const gateway: Gateway = {
    ...listening,
    data,
    pin: PIN,
    password: PASSWORD,
    token: TOKEN,
    pid: child.pid ?? 0,
    text: () => text,
    async api(path, { as, ...init } = {}) {
      const headers = new Headers(init.headers);
      headers.set('x-gatehouse', '1');
      if (as === undefined) headers.set('authorization', `Bearer ${TOKEN}`);
      else headers.set('cookie', await login(as));
      return fetch(`${listening.url}/api/v1${path}`, { ...init, headers });
    },
    async json<T>(path: string, init = {}) {
      const response = await gateway.api(path, init);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    },
    post: (path, body, as = 'demo-admin', headers = {}) =>
      gateway.json(path, {
        method: 'POST',
        as,
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    device: (id) => gateway.json(`/devices/${id}`),
    async record(fits, after = '0:0') {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const response = await gateway.api(`/stream?after=${after}`, { signal });
      for await (const found of eventsOf(response)) if (fits(found)) return found;
      throw new Error('the stream ended');
    },
    async records(query = '') {
      const all: JournalRecord[] = [];
      for (let after = '0:0'; ; ) {
        const page = await gateway.json<RecordsPage>(`/records?limit=500&after=${after}${query}`);
        all.push(...page.items);
        if (!page.next) return all;
        after = page.next;
      }
    },
    open: (device, key = crypto.randomUUID()) =>
      gateway.post('/commands?wait=10000', { device, command: 'open' }, 'demo-guard', { 'idempotency-key': key }),
    async kill(signal) {
      const gone = ended(child);
      child.kill(signal);
      await gone;
    },
    async stop() {
      const gone = ended(child);
      child.kill('SIGTERM');
      return gone;
    },
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      await endCompound(data); // it outlives a killed core by design
      if (options.data === undefined) rmSync(data, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return gateway;
}

function heard(child: ChildProcess, text: () => string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail('no word'), PATIENCE_MS);
    const fail = (why: string) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`the gateway did not start (${why}):\n${text()}`));
    };
    const onExit = (code: number | null, signal: string | null) => fail(`exit ${code ?? signal}`);
    child.once('exit', onExit);
    child.on('message', (message: { listening?: Listening }) => {
      if (!message.listening) return;
      clearTimeout(timer);
      child.off('exit', onExit);
      resolve(message.listening);
    });
  });
}

function ended(child: ChildProcess): Promise<number | string> {
  if (child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve(child.exitCode ?? child.signalCode ?? '');
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal ?? '')));
}

/** Records of a server-sent event stream, as they come. */
export async function* eventsOf(response: Response): AsyncGenerator<JournalRecord> {
  if (!response.ok || !response.body) throw new Error(`stream: ${response.status} ${await response.text()}`);
  let rest = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      if (!/^event: record$/m.test(block)) continue;
      yield JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? '') as JournalRecord;
    }
  }
}
