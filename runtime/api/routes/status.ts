/** How the gateway is: for screens, for supervisors, for Prometheus. */
import { Type } from 'typebox';
import { type Status, status } from '../../contracts/api.ts';
import type { Scenario } from '../../contracts/contract.ts';
import { scenarios } from '../../contracts/index.ts';
import { formatPosition } from '../../contracts/record.ts';
import type { Metrics } from '../metrics.ts';
import type { App, Parts, RouteContext } from '../parts.ts';

const health = Type.Object({ status: Type.Enum(['ok', 'starting']) }, { title: 'Health' });

/** Outside `/api/v1`: the addresses supervisors expect. */
export function healthRoutes(app: App, { parts }: RouteContext, metrics: Metrics): void {
  app.get(
    '/livez',
    {
      config: { right: 'health', quiet: true },
      schema: { operationId: 'getLiveness', tags: ['health'], response: { 200: health } },
    },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      config: { right: 'health', quiet: true },
      schema: { operationId: 'getReadiness', tags: ['health'], response: { 200: health, 503: health } },
    },
    (_request, reply) => {
      const ready = parts.ready?.() ?? true;
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'starting' });
    },
  );

  app.get(
    '/metrics',
    {
      config: { right: 'health', quiet: true },
      schema: {
        operationId: 'getMetrics',
        tags: ['health'],
        produces: ['text/plain'],
        response: { 200: Type.String() },
      },
    },
    (_request, reply) => reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(metrics.text()),
  );
}

export function statusRoutes(app: App, { parts }: RouteContext): void {
  const startedAt = parts.clock.now();

  app.get(
    '/status',
    {
      // Screens poll it: an unattended one must still log out.
      config: { right: 'live.read', quiet: true },
      schema: { operationId: 'getStatus', tags: ['gateway'], response: { 200: status } },
    },
    () => statusOf(parts, startedAt),
  );

  app.get(
    '/scenarios',
    {
      config: { right: 'live.read' },
      schema: {
        operationId: 'listScenarios',
        tags: ['gateway'],
        response: { 200: Type.Array(Type.Record(Type.String(), Type.Unknown())) },
      },
    },
    () => scenarios.map(plainScenario),
  );
}

function statusOf(parts: Parts, startedAt: number): Status {
  const { journal, inventory, host, clock, auth, flows, uplinks } = parts;
  const { id, name, timeZone } = inventory.site();
  const devices = inventory.devices();
  return {
    gateway: journal.gateway,
    site: { id, name, timeZone },
    mode: auth.mode,
    version: parts.version,
    now: clock.now(),
    clock: parts.clockQuality?.() ?? 'unsynced',
    head: formatPosition(journal.head()),
    startedAt,
    devices: {
      online: devices.filter((device) => host.view(device.id).state === 'online').length,
      total: devices.length,
    },
    flows: flows?.()?.state() ?? { state: 'off', since: startedAt, restarts: 0 },
    uplinks: uplinks?.() ?? [],
    ...storageOf(parts),
  };
}

function storageOf({ storage }: Parts): Pick<Status, 'storage'> {
  const view = storage?.()?.view();
  if (!view) return {};
  const { fill, ballast, lanes } = view;
  const spans = lanes.flatMap(({ outageSeconds }) => (outageSeconds === undefined ? [] : [outageSeconds]));
  const refused = lanes.filter((lane) => lane.refused).map(({ lane }) => lane);
  return {
    storage: { fill, ballast, refused, ...(spans.length === 0 ? {} : { outageSeconds: Math.min(...spans) }) },
  };
}

/** A contract without its reducer: what crosses the wire is data. */
const plainScenario = ({ watch: _watch, ...scenario }: Scenario) => scenario;
