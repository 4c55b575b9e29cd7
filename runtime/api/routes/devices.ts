/** Devices of the inventory with their latest points. */
import { Type } from 'typebox';
import { type DeviceInput, type DeviceView, deviceId, deviceInput, deviceView } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';
import { formatPosition } from '../../contracts/record.ts';
import type { Device } from '../../devices/inventory.ts';
import { GatehouseError } from '../../errors.ts';
import type { Caller } from '../auth.ts';
import { callerOf } from '../caller.ts';
import type { App, Parts, RouteContext } from '../parts.ts';
import { mayDo } from '../rights.ts';

const closed = { additionalProperties: false } as const;
const listQuery = Type.Object(
  {
    scenario: Type.Optional(Type.String({ maxLength: 64 })),
    role: Type.Optional(Type.String({ maxLength: 64 })),
    zone: Type.Optional(Type.String({ maxLength: 64, description: 'this zone and everything below it' })),
    area: Type.Optional(Type.String({ maxLength: 64, description: 'same as zone' })),
    q: Type.Optional(Type.String({ maxLength: 64, description: 'part of the id or name' })),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 5000,
        description: 'the best hits first: the id itself, its beginning, the rest',
      }),
    ),
  },
  closed,
);
const deviceList = Type.Object({ position: Type.String(), items: Type.Array(deviceView) }, { title: 'DeviceList' });
const byId = Type.Object({ id: deviceId }, closed);

export function deviceRoutes(app: App, { parts }: RouteContext): void {
  const { inventory, journal, dispatcher } = parts;
  /**
   * A device that is gone, or is somewhere else, could not be told any more to let go.
   * @throws GatehouseError `command.held`
   */
  const checkNotHeld = (device: string) => {
    const held = dispatcher.leases().find((lease) => lease.device === device);
    if (!held) return;
    const text = `${device} is held by ${held.actor} for at most ${held.longestMs / 1000} s: let go first (${held.release})`;
    throw new GatehouseError('command.held', text, { detail: { command: held.command, until: held.until } });
  };
  const view = (device: Device, caller: Caller, host: string) => viewOf(device, parts, caller, host);

  app.get(
    '/devices',
    {
      config: { right: 'live.read' },
      schema: { operationId: 'listDevices', tags: ['devices'], querystring: listQuery, response: { 200: deviceList } },
    },
    (request) => {
      const { area, limit, ...filter } = request.query;
      const caller = callerOf(request);
      const position = formatPosition(journal.head()); // before the points: a follower repeats rather than misses
      const found = inventory.devices({ ...filter, ...(area === undefined ? {} : { zone: area }) });
      const hits = limit === undefined ? found : bestOf(found, filter.q, limit);
      return { position, items: hits.map((device) => view(device, caller, request.hostname)) };
    },
  );

  app.get(
    '/devices/:id',
    {
      config: { right: 'live.read' },
      schema: { operationId: 'getDevice', tags: ['devices'], params: byId, response: { 200: deviceView } },
    },
    (request) => {
      const device = inventory.device(request.params.id);
      if (!device) throw new GatehouseError('device.not_found', `No device ${request.params.id}`);
      return view(device, callerOf(request), request.hostname);
    },
  );

  app.post(
    '/devices',
    {
      config: { right: 'device.write' },
      schema: { operationId: 'createDevice', tags: ['devices'], body: deviceInput, response: { 201: deviceView } },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const device = await inventory.putDevice(request.body as DeviceInput, caller.actor, { create: true });
      return reply.code(201).send(view(device, caller, request.hostname));
    },
  );

  app.put(
    '/devices/:id',
    {
      config: { right: 'device.write' },
      schema: {
        operationId: 'changeDevice',
        tags: ['devices'],
        params: byId,
        body: deviceInput,
        response: { 200: deviceView },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      sameKey(request.params.id, request.body.id);
      checkNotHeld(request.params.id);
      const device = await inventory.putDevice(request.body as DeviceInput, caller.actor, { create: false });
      return view(device, caller, request.hostname);
    },
  );

  app.delete(
    '/devices/:id',
    {
      config: { right: 'device.write' },
      schema: { operationId: 'removeDevice', tags: ['devices'], params: byId, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      checkNotHeld(request.params.id);
      await inventory.deleteDevice(request.params.id, callerOf(request).actor);
      return reply.code(204).send();
    },
  );
}

/** Somebody who types is shown a few of thousands: those the text begins come first. */
function bestOf(found: readonly Device[], q: string | undefined, limit: number): readonly Device[] {
  const wanted = q?.trim().toLowerCase() ?? '';
  const rank = ({ id, name }: Device): number => {
    if (id === wanted || name.toLowerCase() === wanted) return 0;
    return id.startsWith(wanted) || name.toLowerCase().startsWith(wanted) ? 1 : 2;
  };
  const ranked = wanted === '' ? found : found.toSorted((a, b) => rank(a) - rank(b));
  return ranked.slice(0, limit);
}

/** @throws GatehouseError `http.invalid`: nothing is renamed by the way */
export function sameKey(inPath: string, inBody: string): void {
  if (inPath === inBody) return;
  throw new GatehouseError('http.invalid', `body: names ${inBody}, the address says ${inPath}`);
}

/** @param hostname by which the caller reached us, for push addresses of a listener on all interfaces */
export function viewOf(
  device: Device,
  parts: Parts,
  caller: Pick<Caller, 'role' | 'sender'>,
  hostname: string,
): DeviceView {
  const { host, journal } = parts;
  const link = host.view(device.id);
  const points = [...journal.latest(device.id)].map(([name, point]) => {
    // What a silent device last said is no longer known to be so.
    const quality = link.state === 'offline' && point.quality === 'good' ? 'stale' : point.quality;
    return [name, { ...point, quality }] as const;
  });
  const wires = mayDo(caller.role, 'device.write');
  const push = wires ? pushAddress(device, parts, hostname) : undefined;
  return {
    id: device.id,
    name: device.name,
    scenario: device.scenario,
    role: device.role,
    zone: device.zone,
    profile: device.profile.id,
    cameras: [...device.cameras],
    ...(device.parent === undefined ? {} : { parent: device.parent }),
    settings: { ...device.settings },
    link: { ...link },
    points: Object.fromEntries(points),
    commands: commandsOf(device, caller),
    ...(wires ? { address: { ...device.address } } : {}),
    ...(push === undefined ? {} : { push }),
  };
}

/** What the model can do and this caller may send. */
function commandsOf(device: Device, caller: Pick<Caller, 'role' | 'sender'>): string[] {
  if (!mayDo(caller.role, 'command.send')) return [];
  return Object.entries(scenarioOf(device.scenario)?.commands ?? {})
    .filter(([name, { acts }]) => acts === 'setting' || name in (device.profile.commands ?? {}))
    .filter(([, { allow }]) => allow.includes(caller.sender))
    .map(([name]) => name);
}

function pushAddress(device: Device, { inventory, deviceSide }: Parts, hostname: string): string | undefined {
  const secret = inventory.secretOf(device.id);
  if (secret === undefined || device.driver.kind !== 'message' || !deviceSide) return undefined;
  const { scheme, host, port } = deviceSide()[device.driver.via];
  const everywhere = host === '0.0.0.0' || host === '::';
  const place = everywhere ? hostname : host;
  const authority = `${place.includes(':') && !place.startsWith('[') ? `[${place}]` : place}:${port}`;
  return device.driver.via === 'http'
    ? `${scheme}://${authority}/push/${device.id}?key=${secret}`
    : `${scheme}://${device.id}:${secret}@${authority}`;
}
