/**
 * A gateway's API as the flow process sees it: the routes and shapes of contracts/api.ts over a Unix socket, with a journal
 * in memory. For tests of nodes and flows alone; whole-gateway tests use the real one.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { AccessDecision, CommandView, DeviceView } from '../../runtime/contracts/api.ts';
import type { CalendarView, OccurrenceView } from '../../runtime/contracts/calendar.ts';
import type { Draft, JournalRecord } from '../../runtime/contracts/record.ts';
import { catalogue, type ErrorCode } from '../../runtime/errors.ts';
import { Inbox } from './inbox.fixture.ts';

export interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly key: string | undefined;
  readonly flow: string | undefined;
}

/** How a command ends; `refuse` answers with a problem instead of accepting it. */
export type Ending = Partial<CommandView> | { readonly refuse: ErrorCode; readonly detail?: string };

export interface StandIn extends AsyncDisposable {
  readonly socket: string;
  readonly token: string;
  readonly asked: Inbox<Asked>;
  /** Streams that are open now. */
  readonly streams: Inbox<{ readonly query: URLSearchParams }>;
  /** Commands that were really accepted: a repeated key adds none. */
  readonly commands: CommandView[];
  devices: DeviceView[];
  ending: (body: Record<string, unknown>) => Ending;
  decide: (body: Record<string, unknown>) => AccessDecision;
  calendar: CalendarView;
  occur: (body: Record<string, unknown>) => OccurrenceView;
  emit(draft: Partial<Draft> & { readonly received?: number }): JournalRecord;
  head(): string;
  /** The same journal, seen as another one: what a restored database looks like. */
  startEpoch(): void;
  /** Stops and starts listening, as a restart of the core does. */
  listen(): Promise<void>;
  unlisten(): Promise<void>;
}

export function deviceView(id: string, change: Partial<DeviceView> = {}): DeviceView {
  return {
    id,
    name: id,
    scenario: 'vehicle-gate',
    role: 'barrier',
    zone: 'east-in',
    profile: 'test/barrier',
    cameras: [],
    settings: {},
    link: { state: 'online', since: Date.now() },
    points: { barrierState: { value: 'closed', at: Date.now(), received: Date.now(), quality: 'good' } },
    commands: ['open'],
    ...change,
  };
}

const noticeDefaults = { to: {}, from: 'flow:lane', reads: [] };

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

export async function startStandIn(directory: string): Promise<StandIn> {
  const socket = join(directory, 'gatehouse.sock');
  const token = randomUUID();
  const journal: JournalRecord[] = [];
  const followers = new Set<(record: JournalRecord) => void>();
  const sockets = new Set<Socket>();
  const byKey = new Map<string, { body: string; view: CommandView }>();
  let epoch = 1;
  let seq = 0;

  const problem = (response: ServerResponse, code: ErrorCode, detail: string) => {
    const { status, title } = catalogue[code];
    response.writeHead(status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ type: 'about:blank', title, status, code, detail }));
  };
  const json = (response: ServerResponse, body: unknown, status = 200) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };

  function stream(query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    const [kinds, wanted] = [query.getAll('kind'), query.get('scenario')];
    const fits = ({ kind, scenario }: JournalRecord) =>
      (kinds.length === 0 || kinds.includes(kind)) && (wanted === null || scenario === wanted);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const write = (record: JournalRecord) => {
      if (fits(record)) {
        response.write(`id: ${record.epoch}:${record.seq}\nevent: record\ndata: ${JSON.stringify(record)}\n\n`);
      }
    };
    const beat = () =>
      response.write(`event: beat\ndata: ${JSON.stringify({ now: Date.now(), head: `${epoch}:${seq}` })}\n\n`);
    const [afterEpoch = 0, afterSeq = 0] = (query.get('after') ?? '').split(':').map(Number);
    if (afterEpoch !== epoch) response.write(`event: reset\ndata: ${JSON.stringify({ head: `${epoch}:${seq}` })}\n\n`);
    else for (const record of journal) if (record.epoch === epoch && record.seq > afterSeq) write(record);
    beat();
    const timer = setInterval(beat, 1000);
    followers.add(write);
    request.once('close', () => {
      clearInterval(timer);
      followers.delete(write);
    });
    self.streams.put({ query });
  }

  function command(asked: Asked, response: ServerResponse): void {
    const key = `${asked.flow} ${asked.key}`;
    const text = JSON.stringify(asked.body);
    const known = byKey.get(key);
    if (known) {
      if (known.body === text) json(response, known.view);
      else problem(response, 'command.conflict', 'another command');
      return;
    }
    const ending = self.ending(asked.body);
    if ('refuse' in ending) {
      problem(response, ending.refuse, ending.detail ?? ending.refuse);
      return;
    }
    const view: CommandView = {
      id: randomUUID(),
      device: String(asked.body.device),
      command: String(asked.body.command),
      input: {},
      state: 'succeeded',
      actor: `flow:${asked.flow}`,
      createdAt: Date.now(),
      updatedAt: Date.now() + 900,
      proven: true,
      ...ending,
    };
    byKey.set(key, { body: text, view });
    self.commands.push(view);
    json(response, view);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://gateway');
    const path = url.pathname.replace('/api/v1', '');
    const header = (name: string) => request.headers[name] as string | undefined;
    if (header('authorization') !== `Bearer ${token}`) return problem(response, 'auth.missing', 'no token');
    if (path === '/stream') return stream(url.searchParams, request, response);
    const asked: Asked = {
      path,
      body: await bodyOf(request),
      key: header('idempotency-key'),
      flow: header('x-gatehouse-flow'),
    };
    self.asked.put(asked);
    const wanted = (field: string) => url.searchParams.get(field) ?? '';
    if (path === '/status') {
      const site = { id: 'test-site', name: '测试小区', timeZone: 'Asia/Shanghai' };
      return json(response, { gateway: 'gw-test', site, head: self.head(), now: Date.now() });
    }
    if (path === '/records') {
      const [kind, name, device] = [wanted('kind'), wanted('name'), wanted('device')];
      const before = Number(wanted('before').split(':')[1] ?? Number.MAX_SAFE_INTEGER) || Number.MAX_SAFE_INTEGER;
      const fits = (one: JournalRecord) =>
        one.epoch === epoch &&
        one.received >= Number(wanted('from')) &&
        one.seq < before &&
        (kind === '' || one.kind === kind) &&
        (name === '' || one.name === name) &&
        (device === '' || one.device === device);
      const found = journal.filter(fits);
      const items = wanted('order') === 'desc' ? found.toReversed() : found;
      return json(response, { items: items.slice(0, Number(wanted('limit'))), head: self.head() });
    }
    if (path === '/zones') return json(response, [{ id: 'east-in', name: '东门进', kind: 'lane' }]);
    if (path === '/devices') {
      const items = self.devices.filter(
        ({ scenario, zone, id, name }) =>
          (wanted('scenario') === '' || scenario === wanted('scenario')) &&
          (wanted('zone') === '' || zone === wanted('zone')) &&
          (id.includes(wanted('q')) || name.includes(wanted('q'))),
      );
      items.splice(Number(wanted('limit')) || items.length);
      return json(response, { position: self.head(), items });
    }
    if (path.startsWith('/devices/')) {
      const found = self.devices.find(({ id }) => id === decodeURIComponent(path.slice(9)));
      return found ? json(response, found) : problem(response, 'device.not_found', path);
    }
    if (path === '/commands') return command(asked, response);
    if (path.startsWith('/commands/')) {
      const view = self.commands.find(({ id }) => id === path.slice(10));
      return view ? json(response, view) : problem(response, 'command.not_found', path);
    }
    if (path === '/access') return json(response, self.decide(asked.body));
    if (path === '/notices')
      return json(response, { id: 'notice-1', at: Date.now(), ...noticeDefaults, ...asked.body }, 201);
    if (path === '/work-orders') {
      const made = {
        id: 'order-1',
        state: 'open',
        createdBy: 'flow:lane',
        createdAt: Date.now(),
        changedAt: Date.now(),
      };
      return json(response, { ...made, changedBy: made.createdBy, ...asked.body }, 201);
    }
    if (path === '/calendar') return json(response, self.calendar);
    if (path === '/schedules/occurrences') return json(response, self.occur(asked.body));
    if (path === '/alarms') return json(response, { id: 'alarm-1', ...asked.body, process: 'ACTIVE_UNACK' }, 201);
    if (path === '/alarms/clear') return json(response, { id: 'alarm-1', ...asked.body, process: 'RTN_UNACK' });
    problem(response, 'http.not_found', path);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => problem(response, 'http.internal', String(error)));
  });
  server.on('connection', (peer) => {
    sockets.add(peer);
    peer.once('close', () => sockets.delete(peer));
  });

  const self: StandIn = {
    socket,
    token,
    asked: new Inbox(),
    streams: new Inbox(),
    commands: [],
    devices: [
      deviceView('gate-east-in', { name: '东门进道闸' }),
      deviceView('camera-east-in', { name: '东门进相机', role: 'camera', points: {}, commands: [] }),
      deviceView('gate-west-in', { name: '西门进道闸', zone: 'west-in' }),
    ],
    ending: () => ({}),
    decide: ({ gate, plate }) => ({
      allow: true,
      reason: 'resident',
      gate: String(gate).replace('camera', 'gate'),
      explanation: { zh: '住户车辆', en: 'Resident vehicle' },
      ...(plate === undefined ? {} : { plate: String(plate) }),
    }),
    calendar: { timeZone: 'Asia/Shanghai', location: { latitude: 31.23, longitude: 121.47 }, years: [] },
    occur: ({ missed }) => ({ record: randomUUID(), missed: missed === true, first: true }),
    emit(draft) {
      seq += 1;
      const now = Date.now();
      const record: JournalRecord = {
        gateway: 'gw-test',
        epoch,
        seq,
        id: randomUUID(),
        at: draft.at ?? now,
        received: draft.received ?? now,
        clock: 'synced',
        lane: draft.lane ?? 'L1',
        kind: draft.kind ?? 'event',
        scenario: draft.scenario ?? 'vehicle-gate',
        device: draft.device ?? 'camera-east-in',
        name: draft.name ?? 'plate.read',
        data: draft.data ?? { plate: '鄂A12345', trigger: 'video', stored: false },
        quality: draft.quality ?? 'good',
        ...(draft.cause === undefined ? {} : { cause: draft.cause }),
        ...(draft.actor === undefined ? {} : { actor: draft.actor }),
      };
      journal.push(record);
      for (const write of followers) write(record);
      return record;
    },
    head: () => `${epoch}:${seq}`,
    startEpoch() {
      epoch += 1;
      seq = 0;
    },
    async listen() {
      rmSync(socket, { force: true });
      await new Promise<void>((resolve) => server.listen(socket, resolve));
    },
    async unlisten() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const peer of sockets) peer.destroy();
      await closed;
    },
    async [Symbol.asyncDispose]() {
      if (server.listening) await self.unlisten();
    },
  };
  await self.listen();
  return self;
}
