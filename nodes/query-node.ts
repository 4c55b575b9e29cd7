/** `gh-query`: asks the gateway: latest points, records by filter, or how many there are. Bounded, and it only looks. */
import type { DeviceView } from '../runtime/contracts/api.ts';
import { type JournalRecord, kinds } from '../runtime/contracts/record.ts';
import { type Asks, askOnInput } from './acting.ts';
import { serveEditor } from './editor-routes.ts';
import { NodeFailure } from './failures.ts';
import { type Gateway, gatewayOf } from './gateway.ts';
import { createLight } from './light.ts';
import type { FlowNode, Message, NodeDefinition, Red } from './red.ts';
import { isObject, textOf } from './shapes.ts';

const asks = ['latest', 'records', 'count'] as const;
/** Rows of one answer. */
const MOST_ROWS = 500;
/** Records that are counted; more are "at least so many". */
const MOST_COUNTED = 10_000;
const PAGE = 500;
const MINUTE_MS = 60_000;
const LONGEST_MINUTES = 366 * 24 * 60;

export interface Query {
  readonly ask: (typeof asks)[number];
  readonly device?: string;
  readonly zone?: string;
  readonly scenario?: string;
  readonly kind?: string;
  readonly names: readonly string[];
  readonly minutes: number;
  readonly limit: number;
}

/** The message's fields win over the form's. @throws NodeFailure GH_BAD_INPUT */
export function readQuery(message: Message, definition: NodeDefinition): Query {
  const given = isObject(message.payload) ? message.payload : {};
  const field = (name: string) => textOf(given[name]) ?? textOf(definition[name]);
  const asked = field('ask') ?? 'latest';
  const ask = asks.find((one) => one === asked);
  if (!ask) throw new NodeFailure('GH_BAD_INPUT', 'noAsk', { name: asked, known: asks.join(', ') });
  const pick = definition.pick;
  const device = textOf(given.device) ?? (pick === 'device' ? textOf(definition.device) : undefined);
  const zone = textOf(given.zone) ?? (pick === 'zone' ? textOf(definition.zone) : undefined);
  const scenario = field('scenario');
  const kind = field('kind');
  if (kind !== undefined && !(kinds as readonly string[]).includes(kind)) {
    throw new NodeFailure('GH_BAD_INPUT', 'noKind', { name: kind, known: kinds.join(', ') });
  }
  const number = (name: string, fallback: number, most: number): number => {
    const value = Number(given[name] ?? definition[name]);
    return Number.isFinite(value) && value > 0 ? Math.min(value, most) : fallback;
  };
  const names = field('names')?.split(/[\s,，、;；]+/) ?? (Array.isArray(given.names) ? given.names.map(String) : []);
  return {
    ask,
    names: names.filter(Boolean),
    minutes: number('minutes', 60, LONGEST_MINUTES),
    limit: Math.round(number('limit', 100, MOST_ROWS)),
    ...(device === undefined ? {} : { device }),
    ...(zone === undefined ? {} : { zone }),
    ...(scenario === undefined ? {} : { scenario }),
    ...(kind === undefined ? {} : { kind }),
  };
}

const pointRows = ({ id, points }: DeviceView, names: readonly string[]) =>
  Object.entries(points)
    .filter(([name]) => names.length === 0 || names.includes(name))
    .map(([name, { value, at, quality }]) => ({ device: id, name, value, at, quality }));

async function latest(gateway: Gateway, { device, zone, scenario, names, limit }: Query) {
  const devices =
    device === undefined
      ? await gateway.devices({ ...(scenario ? { scenario } : {}), ...(zone ? { zone } : {}) })
      : [await gateway.device(device)];
  const rows = devices.flatMap((one) => pointRows(one, names));
  return { rows: rows.slice(0, limit), complete: rows.length <= limit };
}

const recordRow = ({ id, kind, device, name, at, data, quality, scenario, actor, cause }: JournalRecord) => ({
  ...{ id, kind, scenario, device, name, at, data, quality },
  ...(actor === undefined ? {} : { actor }),
  ...(cause === undefined ? {} : { cause }),
});

/** Newest first, page by page, until there are enough, nothing is left, or it has looked far enough. */
async function find(gateway: Gateway, query: Query, most: number, signal: AbortSignal) {
  const { device, zone, scenario, kind, names, minutes } = query;
  const inZone = zone && new Set((await gateway.devices({ zone })).map(({ id }) => id));
  const [only] = names.length === 1 ? names : [];
  const wanted = ({ device: from, name }: JournalRecord) =>
    (!inZone || inZone.has(from)) && (names.length === 0 || names.includes(name));
  const found: JournalRecord[] = [];
  let before: string | undefined;
  for (let looked = 0; looked < MOST_COUNTED; looked += PAGE) {
    const from = String(Math.round(Date.now() - minutes * MINUTE_MS));
    const filter = { from, order: 'desc', limit: String(PAGE), device, scenario, kind, name: only, before };
    const { items } = await gateway.records(filter, signal);
    for (const record of items) {
      if (!wanted(record)) continue;
      if (found.length === most) return { found, complete: false };
      found.push(record);
    }
    const last = items.at(-1);
    if (!last || items.length < PAGE) return { found, complete: true };
    before = `${last.epoch}:${last.seq}`;
  }
  return { found, complete: false };
}

async function answer(gateway: Gateway, query: Query, signal: AbortSignal): Promise<object> {
  if (query.ask === 'latest') {
    const { rows, complete } = await latest(gateway, query);
    return { ask: query.ask, complete, count: rows.length, rows };
  }
  if (query.ask === 'records') {
    const { found, complete } = await find(gateway, query, query.limit, signal);
    return { ask: query.ask, complete, count: found.length, rows: found.map(recordRow) };
  }
  const { found, complete } = await find(gateway, query, MOST_COUNTED, signal);
  return { ask: query.ask, complete, count: found.length, rows: [] };
}

export function registerQuery(red: Red): void {
  serveEditor(red);
  red.nodes.registerType('gh-query', function create(this: FlowNode, definition: NodeDefinition) {
    red.nodes.createNode(this, definition);
    const gateway = gatewayOf(red);
    const light = createLight(red, this, () => gateway.site()?.timeZone);
    const run: Asks = async (message, signal) => [
      { ...message, payload: await answer(gateway, readQuery(message, definition), signal) },
    ];
    const end = askOnInput({ red, node: this, light, run });
    this.on('close', () => {
      end();
      light.close();
    });
  });
}
