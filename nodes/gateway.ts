/** What the nodes may ask of the gateway, over its API socket: follow, command, ask for access, raise and clear, look up. */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AccessDecision,
  AccessQuestion,
  AlarmView,
  CommandView,
  DeviceView,
  RecordsPage,
  Zone,
} from '../runtime/contracts/api.ts';
import type { CalendarView, OccurrenceInput, OccurrenceView } from '../runtime/contracts/calendar.ts';
import type { NoticeInput, NoticeView, WorkOrderInput, WorkOrderView } from '../runtime/contracts/duty.ts';
import { finalStates } from '../runtime/contracts/record.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { type Connection, connectionOf } from './connection.ts';
import { failureOf, NodeFailure } from './failures.ts';
import { createFollower, type Follower } from './follow.ts';
import { openPosition } from './position.ts';
import type { Red } from './red.ts';
import { openScheduleMemory, type ScheduleMemory } from './schedule/memory.ts';
import { isObject } from './shapes.ts';
import { createZones } from './zones.ts';

/** A decision moves nothing: it may wait for a core that is restarting. */
const ASK_FOR_MS = 8000;
/** A command may not: its deadline counts from when the gateway has it, and a driver does not wait longer. */
const COMMAND_FOR_MS = 3000;
const WAIT_MS = 10_000;
const POLL_MS = 300;
const OUTCOME_WITHIN_MS = 60_000;

/** Who acts, and because of what. */
export interface Acting {
  readonly flow: string;
  readonly node: string;
  /** The same for the same cause, so that a record handed out again after a crash moves nothing again. */
  readonly key: string;
  readonly cause?: string;
  readonly signal: AbortSignal;
}

export interface Gateway extends Pick<Follower, 'follow' | 'site'> {
  /** Records come from the past; their age says nothing, and what they lead to is only written down. */
  readonly replay: boolean;
  /** Resolves with a command that succeeded. @throws NodeFailure for every other end */
  command(order: { device: string; command: string; input: object }, acting: Acting): Promise<CommandView>;
  access(question: Omit<AccessQuestion, 'cause'>, acting: Acting): Promise<AccessDecision>;
  raise(alarm: { device: string; kind: string; data?: object }, acting: Acting): Promise<AlarmView | undefined>;
  clear(alarm: { device: string; kind: string }, acting: Acting): Promise<AlarmView | undefined>;
  notice(notice: Omit<NoticeInput, 'cause'>, acting: Acting): Promise<NoticeView>;
  workOrder(order: Omit<WorkOrderInput, 'cause'>, acting: Acting): Promise<WorkOrderView>;
  /** Puts a time of a schedule on record. */
  occurrence(occurrence: OccurrenceInput, flow: string): Promise<OccurrenceView>;
  calendar(): Promise<CalendarView>;
  /** @param query as `GET /records` takes it */
  records(query: Readonly<Record<string, string | undefined>>, signal: AbortSignal): Promise<RecordsPage>;
  device(id: string): Promise<DeviceView>;
  devices(query: { scenario?: string; zone?: string; q?: string; limit?: string }): Promise<readonly DeviceView[]>;
  zones(): Promise<readonly Zone[]>;
}

function createCommands(client: ApiClient): Gateway['command'] {
  return async (order, { flow, node, key, cause, signal }) => {
    const body = { ...order, ...(cause === undefined ? {} : { cause }) };
    const call = { method: 'POST', body, key, flow, node, retryMs: COMMAND_FOR_MS, signal } as const;
    let view = (await client.call(`/commands?wait=${WAIT_MS}`, call)).body as CommandView;
    for (const until = performance.now() + OUTCOME_WITHIN_MS; !finalStates.includes(view.state); ) {
      if (performance.now() > until) throw new NodeFailure('GH_TIMEOUT', 'noOutcome', { id: view.id });
      await sleep(POLL_MS, undefined, { signal });
      const again = await client.call(`/commands/${view.id}`, { signal, retryMs: OUTCOME_WITHIN_MS });
      view = again.body as CommandView;
    }
    if (view.state === 'succeeded') return view;
    const code = view.state === 'failed' ? failureOf(view.code, 409) : 'GH_TIMEOUT';
    throw new NodeFailure(code, view.state, { detail: view.detail ?? view.code ?? '', id: view.id });
  };
}

const queryOf = (fields: Readonly<Record<string, string | undefined>>): string =>
  new URLSearchParams(Object.entries(fields).filter((entry): entry is [string, string] => !!entry[1])).toString();

function openGateway(red: Red, connection: Connection): Gateway {
  const client = createApiClient(connection);
  const warn = (text: string) => red.log.warn(text);
  const positions = openPosition(connection.directory, warn);
  const follower = createFollower({ client, positions, zones: createZones(client), warn });
  red.events.on('flows:stopping', () => follower.hold());
  red.events.on('flows:started', () => follower.ready());
  const act = (path: string, body: object, { flow, node, key, cause, signal }: Acting) =>
    client.call(path, {
      method: 'POST',
      body: { ...body, ...(cause === undefined ? {} : { cause }) },
      key,
      flow,
      node,
      signal,
      retryMs: ASK_FOR_MS,
    });
  return {
    replay: connection.replay,
    follow: follower.follow,
    site: follower.site,
    command: createCommands(client),
    access: async (question, acting) => (await act('/access', question, acting)).body as AccessDecision,
    raise: async (alarm, acting) => (await act('/alarms', alarm, acting)).body as AlarmView | undefined,
    clear: async (alarm, acting) => (await act('/alarms/clear', alarm, acting)).body as AlarmView | undefined,
    notice: async (notice, acting) => (await act('/notices', notice, acting)).body as NoticeView,
    workOrder: async (order, acting) => (await act('/work-orders', order, acting)).body as WorkOrderView,
    occurrence: async (body, flow) => {
      const call = { method: 'POST', body, flow, key: `${body.node}:${body.due}`, retryMs: ASK_FOR_MS } as const;
      return (await client.call('/schedules/occurrences', call)).body as OccurrenceView;
    },
    calendar: async () => (await client.call('/calendar')).body as CalendarView,
    records: async (query, signal) => (await client.call(`/records?${queryOf(query)}`, { signal })).body as RecordsPage,
    device: async (id) => (await client.call(`/devices/${encodeURIComponent(id)}`)).body as DeviceView,
    devices: async (query) => ((await client.call(`/devices?${queryOf(query)}`)).body as { items: DeviceView[] }).items,
    zones: async () => (await client.call('/zones')).body as Zone[],
  };
}

const opened = new WeakMap<Connection, Gateway>();

/** The one client of this process, made at the first call. @throws Error when nobody said where the gateway is */
export function gatewayOf(red: Red): Gateway {
  const connection = connectionOf(red);
  const gateway = opened.get(connection) ?? openGateway(red, connection);
  opened.set(connection, gateway);
  return gateway;
}

/**
 * Starting or deploying a flow never moves anything: what a deploy sets off is not for commands. Told by the flow process
 * of a gateway; a Node-RED of somebody else does not know.
 */
export function beganWithDeploy({ settings }: Red): boolean {
  const { gatehouse } = settings;
  if (!isObject(gatehouse) || typeof gatehouse.beganWithDeploy !== 'function') return false;
  return gatehouse.beganWithDeploy() === true;
}

const memories = new WeakMap<Connection, ScheduleMemory>();

/** Where the schedules of this process keep how far they have come. */
export function scheduleMemoryOf(red: Red): ScheduleMemory {
  const connection = connectionOf(red);
  const known = memories.get(connection) ?? openScheduleMemory(connection.directory, (text) => red.log.warn(text));
  memories.set(connection, known);
  return known;
}
