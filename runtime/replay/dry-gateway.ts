/**
 * The gateway as a flow under replay sees it: the routes its nodes use, over a Unix socket of its own. It hands out past
 * records and answers questions as they were answered then; whatever would act is written down and nothing else. The
 * process behind it has no other socket and no other token, so a flow cannot act even if it hides that it is replayed.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AccessDecision, AccessQuestion, CommandView, DeviceView, Zone } from '../contracts/api.ts';
import type { CalendarView } from '../contracts/calendar.ts';
import type { JournalRecord } from '../contracts/record.ts';
import type { Act } from '../contracts/replay.ts';
import { catalogue, type ErrorCode, GatehouseError } from '../errors.ts';

/** What is known of the site, and of what happened then. */
export interface World {
  readonly site: { readonly id: string; readonly name: string; readonly timeZone: string };
  devices(query: { scenario?: string; zone?: string; q?: string }): readonly DeviceView[];
  device(id: string): DeviceView | undefined;
  zones(): readonly Zone[];
  calendar(): CalendarView;
  /** The decision made then, or the one that would be made. @throws GatehouseError `access.*` */
  decide(question: AccessQuestion): AccessDecision;
  /** What became of a command then: its last state and code. */
  outcome(act: Act): Pick<CommandView, 'state' | 'code'> | undefined;
}

export interface DryGateway extends AsyncDisposable {
  readonly token: string;
  /** Resolves when the first stream is open: the flow listens. */
  readonly listening: Promise<void>;
  emit(record: JournalRecord): void;
  /** What a query of the flow looks through: the records emitted so far. */
  readonly emitted: readonly JournalRecord[];
}

export interface DryParts {
  readonly socket: string;
  readonly world: World;
  readonly now: () => number;
  onAct(act: Act, flow: string): void;
  /** Something was asked: the flow is still busy. */
  onRequest(): void;
}

const LARGEST_BODY = 256 * 1024;
const BASE = '/api/v1';

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LARGEST_BODY) throw new GatehouseError('http.too_large', 'The request is too large');
  }
  const body: unknown = text === '' ? {} : JSON.parse(text);
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function send(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body === undefined ? '' : JSON.stringify(body));
}

function refuse(response: ServerResponse, code: ErrorCode, detail: string): void {
  const { status, title } = catalogue[code];
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: `urn:gatehouse:problem:${code}`, title, status, code, detail }));
}

/** What a request would do, or undefined for one that only asks. */
function actOf(path: string, body: Record<string, unknown>, node: string): Act | undefined {
  const { cause, device, ...rest } = body;
  const about = { record: textOf(cause), device: textOf(device), ...(node === '' ? {} : { node }) };
  switch (path) {
    case '/commands':
      return { ...about, kind: 'command', action: textOf(rest.command), input: rest.input ?? {} };
    case '/alarms':
      return { ...about, kind: 'alarm', action: `raise ${textOf(rest.kind)}`, input: rest.data ?? {} };
    case '/alarms/clear':
      return { ...about, kind: 'alarm', action: `clear ${textOf(rest.kind)}`, input: {} };
    case '/notices':
      return { ...about, kind: 'notice', action: 'notice', input: rest };
    case '/work-orders':
      return { ...about, kind: 'work-order', action: 'create', input: rest };
    case '/events':
      return { ...about, kind: 'event', action: textOf(rest.name), input: rest.data ?? {} };
    default:
      return undefined;
  }
}

/** @returns once the socket is there */
export async function startDryGateway({ socket, world, now, onAct, onRequest }: DryParts): Promise<DryGateway> {
  const token = randomUUID();
  const emitted: JournalRecord[] = [];
  const followers = new Set<(record: JournalRecord, seq: number) => void>();
  const sockets = new Set<Socket>();
  const answered = new Map<string, { status: number; body: unknown }>();
  const { promise: listening, resolve: opened } = Promise.withResolvers<void>();
  const head = () => `1:${emitted.length}`;

  function stream(query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    const kinds = query.getAll('kind');
    const scenario = query.get('scenario');
    const after = Number(query.get('after')?.split(':')[1] ?? emitted.length);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const write = (record: JournalRecord, seq: number) => {
      if (kinds.length > 0 && !kinds.includes(record.kind)) return;
      if (scenario !== null && record.scenario !== scenario) return;
      response.write(`id: 1:${seq}\nevent: record\ndata: ${JSON.stringify(record)}\n\n`);
    };
    const beat = () => response.write(`event: beat\ndata: ${JSON.stringify({ now: now(), head: head() })}\n\n`);
    emitted.forEach((record, index) => {
      if (index + 1 > after) write(record, index + 1);
    });
    beat();
    const timer = setInterval(beat, 1000);
    followers.add(write);
    request.once('close', () => {
      clearInterval(timer);
      followers.delete(write);
    });
    opened();
  }

  /** The answer of the real route, made of what was asked and of what is known from then. */
  function answerTo(act: Act, body: Record<string, unknown>, flow: string): { status: number; body: unknown } {
    const at = now();
    const { cause: _cause, ...rest } = body;
    const made = { id: randomUUID(), ...rest, createdAt: at, changedAt: at };
    switch (act.kind) {
      case 'command': {
        const { device, action: command } = act;
        const outcome = world.outcome(act) ?? { state: 'succeeded' as const };
        const input = act.input as CommandView['input'];
        const view: CommandView = {
          ...{ id: made.id, device, command, input, actor: `flow:${flow}`, createdAt: at, updatedAt: at },
          ...outcome,
        };
        return { status: 200, body: view };
      }
      case 'alarm':
        return {
          status: 200,
          body: { ...made, process: act.action.startsWith('raise') ? 'ACTIVE_UNACK' : 'RTN_UNACK' },
        };
      case 'notice':
        return { status: 201, body: { ...made, at, from: `flow:${flow}`, to: rest.to ?? {}, reads: [] } };
      case 'work-order':
        return { status: 201, body: { ...made, state: rest.assignee === undefined ? 'open' : 'assigned' } };
      case 'event':
        return { status: 201, body: made };
    }
  }

  function question(path: string, query: URLSearchParams, body: Record<string, unknown>): unknown {
    const field = (name: string) => query.get(name) ?? undefined;
    const { site } = world;
    switch (path) {
      case '/status':
        return { gateway: 'replay', site, head: head(), now: now() };
      case '/records': {
        // Node-RED's own look back at its start finds nothing: it begins with what is emitted.
        const [name, kind, device] = [field('name'), query.getAll('kind'), field('device')];
        const found = emitted.filter(
          (record) =>
            (name === undefined || record.name === name) &&
            (device === undefined || record.device === device) &&
            (kind.length === 0 || kind.includes(record.kind)),
        );
        return { items: query.get('order') === 'desc' ? found.toReversed().slice(0, 500) : [], head: head() };
      }
      case '/zones':
        return world.zones();
      case '/calendar':
        return world.calendar();
      case '/devices': {
        const [scenario, zone, q] = [field('scenario'), field('zone'), field('q')];
        const wanted = { ...(scenario ? { scenario } : {}), ...(zone ? { zone } : {}), ...(q ? { q } : {}) };
        return { position: head(), items: world.devices(wanted) };
      }
      case '/access':
        return world.decide(body as AccessQuestion);
      default: {
        const id = path.startsWith('/devices/') ? decodeURIComponent(path.slice('/devices/'.length)) : undefined;
        const found = id === undefined ? undefined : world.device(id);
        if (!found) throw new GatehouseError(id === undefined ? 'http.not_found' : 'device.not_found', path);
        return found;
      }
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://replay');
    const path = url.pathname.replace(BASE, '');
    const header = (name: string) => textOf(request.headers[name]);
    if (header('authorization') !== `Bearer ${token}`) throw new GatehouseError('auth.missing', 'Not of this replay');
    if (path === '/stream') return stream(url.searchParams, request, response);
    const body = await bodyOf(request);
    if (path !== '/status') onRequest();
    const act = request.method === 'POST' ? actOf(path, body, header('x-gatehouse-node')) : undefined;
    if (!act) return send(response, question(path, url.searchParams, body));
    const flow = header('x-gatehouse-flow');
    const key = header('idempotency-key') && `${path} ${flow} ${header('idempotency-key')}`;
    const before = answered.get(key);
    if (before) return send(response, before.body, before.status);
    onAct(act, flow);
    const made = answerTo(act, body, flow);
    if (key) answered.set(key, made);
    send(response, made.body, made.status);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (error instanceof GatehouseError) refuse(response, error.code, error.message);
      else refuse(response, 'http.invalid', error instanceof Error ? error.message : String(error));
    });
  });
  server.on('connection', (peer) => {
    sockets.add(peer);
    peer.once('close', () => sockets.delete(peer));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socket, resolve));

  return {
    token,
    listening,
    emitted,
    emit(record) {
      emitted.push(record);
      for (const write of followers) write(record, emitted.length);
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const peer of sockets) peer.destroy();
      await closed;
    },
  };
}
