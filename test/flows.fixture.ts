/** The flow process under its real supervisor, with flows as a test wants them and everything it says in inboxes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Inbox } from '../nodes/testing/inbox.fixture.ts';
import { systemClock } from '../runtime/clock.ts';
import type { JournalRecord } from '../runtime/contracts/record.ts';
import { type FlowHistory, openFlowHistory, schema } from '../runtime/flow-history/history.ts';
import { restartLimits } from '../runtime/flows/restarts.ts';
import { type Flows, type FlowsChange, type FlowsOptions, startFlows } from '../runtime/flows/supervisor.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { createLog } from '../runtime/log.ts';

export const tab = { id: 'lane', type: 'tab', label: 'lane' };

/** A function node that runs its code once, 0.1 s after the flows have started. */
export const runs = (code: string, more: object = {}): object[] => [
  tab,
  {
    id: 'once',
    type: 'inject',
    z: 'lane',
    once: true,
    onceDelay: 0.1,
    props: [],
    repeat: '',
    x: 1,
    y: 1,
    wires: [['code']],
  },
  {
    id: 'code',
    type: 'function',
    z: 'lane',
    func: code,
    outputs: 1,
    timeout: 0,
    libs: [],
    x: 2,
    y: 1,
    wires: [[]],
    ...more,
  },
];

/** A second tab that only says, again and again, that it runs. */
export const good: readonly object[] = [
  { id: 'good', type: 'tab', label: 'good lane' },
  {
    ...{ id: 'tick', type: 'inject', z: 'good', once: true, onceDelay: 0.1, props: [], repeat: '', x: 1, y: 1 },
    wires: [['tock']],
  },
  {
    ...{ id: 'tock', type: 'function', z: 'good', outputs: 1, timeout: 0, libs: [], x: 2, y: 1, wires: [[]] },
    func: `node.warn('good runs');`,
  },
];

/** What a function node does to leave its sandbox: the process is then its own. */
export const escaped = (code: string): string => `const process = console.log.constructor('return process')(); ${code}`;

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface FlowsRig extends AsyncDisposable {
  readonly directory: string;
  readonly history: FlowHistory;
  /** Of that name, oldest first. */
  records(name: string): JournalRecord[];
  readonly flows: Flows;
  readonly changes: Inbox<FlowsChange>;
  readonly log: Inbox<Record<string, unknown> & { readonly msg: string }>;
  state(state: FlowsChange['status']['state'], withinMs?: number): Promise<FlowsChange>;
  /** A request to the editor's socket, with a pass unless told otherwise. */
  editor(path: string, options?: { method?: string; body?: unknown; token?: string | null }): Promise<Answer>;
}

/** Fast restarts; everything else as on site. */
const quick = { ...restartLimits, firstMs: 50, longestMs: 200 };

export async function startFlowsRig(
  content: object[] | string | undefined,
  options: Partial<FlowsOptions> = {},
): Promise<FlowsRig> {
  const directory = mkdtempSync(join(tmpdir(), 'gh-flows-'));
  mkdirSync(join(directory, 'flows'), { mode: 0o700 });
  if (content !== undefined) {
    writeFileSync(
      join(directory, 'flows', 'flows.json'),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
  }
  const changes = new Inbox<FlowsChange>();
  const log: FlowsRig['log'] = new Inbox();
  const sink = new Writable({
    write(chunk, _encoding, done) {
      for (const line of String(chunk).split('\n').filter(Boolean)) log.put(JSON.parse(line));
      done();
    },
  });
  const clock = options.clock ?? systemClock;
  const journal = await Journal.open({ directory, clock, log: createLog('debug', sink), schema: [schema] });
  const history = openFlowHistory({
    ...{ journal, directory: join(directory, 'flows'), key: 'key-of-this-test', clock, log: createLog('debug', sink) },
  });
  const flows = startFlows({
    directory: join(directory, 'flows'),
    book: history,
    secrets: join(directory, 'secrets'),
    socket: join(directory, 'gatehouse.sock'),
    token: 'token-of-the-flows',
    log: createLog('debug', sink),
    clock: systemClock,
    restarts: quick,
    onChange: (change) => changes.put(change),
    ...options,
  });
  return {
    directory,
    history,
    records: (name) => journal.read({ limit: 500 }).items.filter((record) => record.name === name),
    flows,
    changes,
    log,
    state: (state, withinMs = 20_000) => changes.find((change) => change.status.state === state, withinMs),
    editor: (path, { method = 'GET', body, token = flows.editorToken('tester', '*') } = {}) => {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      const sent = request(
        {
          socketPath: flows.editorUpstream,
          path: `/editor${path}`,
          method,
          headers: {
            ...(token === null ? {} : { 'x-gatehouse-editor': token }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
        },
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
      return promise;
    },
    async [Symbol.asyncDispose]() {
      await flows.stop();
      await journal[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}
