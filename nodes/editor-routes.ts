/** What the edit forms ask while somebody types: devices with their live value, and zones. Behind the editor's own login. */
import type { DeviceView } from '../runtime/contracts/api.ts';
import { scenarioOf } from '../runtime/contracts/index.ts';
import type { Words } from '../runtime/contracts/words.ts';
import { gatewayOf } from './gateway.ts';
import type { EditorRequest, Red } from './red.ts';

const HITS = 20;

/** One hit of the picker. */
export interface DeviceHit {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly role: Words;
  readonly link: DeviceView['link']['state'];
  /** The first point of the contract that the device has. */
  readonly live?: { readonly label: Words; readonly value: string; readonly quality: string };
}

function liveOf(device: DeviceView): DeviceHit['live'] {
  const telemetry = scenarioOf(device.scenario)?.telemetry ?? {};
  const name = Object.keys(telemetry).find((point) => device.points[point] !== undefined);
  const point = name === undefined ? undefined : device.points[name];
  if (name === undefined || !point) return undefined;
  const schema = telemetry[name] as { description?: string; 'x-zh'?: string; 'x-unit'?: string };
  const unit = schema['x-unit'] && schema['x-unit'] !== '1' ? ` ${schema['x-unit']}` : '';
  return {
    label: { zh: schema['x-zh'] ?? name, en: name },
    value: `${String(point.value)}${unit}`,
    quality: point.quality,
  };
}

function hitOf(device: DeviceView): DeviceHit {
  const live = liveOf(device);
  const role = scenarioOf(device.scenario)?.roles[device.role] ?? { zh: device.role, en: device.role };
  const { id, name, zone, link } = device;
  return { id, name, zone, role, link: link.state, ...(live ? { live } : {}) };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 64) : '');

const served = new WeakSet<object>();

/** Adds the routes once per process, whichever of our nodes is loaded first. */
export function serveEditor(red: Red): void {
  if (served.has(red.httpAdmin)) return;
  served.add(red.httpAdmin);
  const may = red.auth.needsPermission('flows.read');
  const answer = (path: string, make: (request: EditorRequest) => Promise<unknown>) =>
    red.httpAdmin.get(path, may, (request, response) => {
      make(request).then(
        (body) => {
          response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
          response.end(JSON.stringify(body));
        },
        (error: unknown) => {
          red.log.warn(`${path}: ${error instanceof Error ? error.message : String(error)}`);
          response.writeHead(502).end();
        },
      );
    });
  answer('/gh/devices', async ({ query }) => {
    const fields = { scenario: textOf(query.scenario), zone: textOf(query.zone), q: textOf(query.q) };
    return (await gatewayOf(red).devices({ ...fields, limit: String(HITS) })).map(hitOf);
  });
  answer('/gh/zones', () => gatewayOf(red).zones());
}
