/**
 * Contract JSON over the device broker: what a device says that knows our contracts. Pure.
 *
 * - `gatehouse/devices/{device}/up/telemetry`: `{"at"?: ms, "values": {"smoke": 0.4}}`, or the values alone.
 * - `gatehouse/devices/{device}/up/event`: `{"name": "self-test", "data": {"passed": true}, "at"?: ms, "key"?: "…"}`.
 */
import { GatehouseError, reasonOf } from '../../runtime/errors.ts';
import type { DeviceEvent, Reading, Scalar } from '../driver.ts';

const MAX_BYTES = 64 * 1024;
const MAX_VALUES = 200;
const MAX_TEXT_LENGTH = 256;
const utf8 = new TextDecoder('utf-8', { fatal: true });

export type Channel = 'telemetry' | 'event';

/** @throws {GatehouseError} `driver.frame` for a topic that is not `…/up/telemetry` or `…/up/event`. */
export function channelOf(topic: string): Channel {
  const match = /^gatehouse\/devices\/[^/+#]+\/up\/(telemetry|event)$/.exec(topic);
  if (!match) throw new GatehouseError('driver.frame', `No such topic: ${topic.slice(0, 128)}`);
  return match[1] as Channel;
}

/**
 * @param isKnown true for the points of the model; any other is left out, not an error.
 * @returns a reading per value; what is not a number, a text or true/false is left out, one value never costs the rest.
 * @throws {GatehouseError} `driver.frame` if there is no JSON object.
 */
export function decodeTelemetry(body: Uint8Array, isKnown: (point: string) => boolean): Reading[] {
  const message = parse(body);
  const nested = message.values;
  const values = isObject(nested) ? nested : message;
  const at = timeOf(message.at);
  const readings: Reading[] = [];
  let seen = 0;
  for (const point of Object.keys(values)) {
    if (values === message && point === 'at') continue;
    if (++seen > MAX_VALUES) break;
    const value = values[point];
    if (isScalar(value) && isKnown(point)) readings.push(at === undefined ? { point, value } : { point, value, at });
  }
  return readings;
}

/** @throws {GatehouseError} `driver.frame` if there is no JSON object with a name and an object as data. */
export function decodeEvent(body: Uint8Array): DeviceEvent {
  const { name, data = {}, at: time, key } = parse(body);
  if (typeof name !== 'string' || name === '' || name.length > MAX_TEXT_LENGTH) throw broken('an event needs a name');
  if (!isObject(data)) throw broken('data of an event is an object');
  const at = timeOf(time);
  return {
    name,
    data,
    ...(at === undefined ? {} : { at }),
    ...(typeof key === 'string' && key !== '' && key.length <= MAX_TEXT_LENGTH ? { key } : {}),
  };
}

const broken = (what: string): GatehouseError => new GatehouseError('driver.frame', `Contract JSON: ${what}`);

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const isScalar = (value: unknown): value is Scalar =>
  typeof value === 'boolean' ||
  (typeof value === 'number' && Number.isFinite(value)) ||
  (typeof value === 'string' && value.length <= MAX_TEXT_LENGTH);

/** Device time, ms UTC. A clock that was never set counts as none. */
const timeOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value > Date.UTC(2015, 0, 1) && value < Date.UTC(2100, 0, 1)
    ? value
    : undefined;

function parse(body: Uint8Array): Record<string, unknown> {
  if (body.length > MAX_BYTES) throw broken(`${body.length} bytes, at most ${MAX_BYTES}`);
  let message: unknown;
  try {
    message = JSON.parse(utf8.decode(body));
  } catch (error) {
    throw broken(reasonOf(error).slice(0, 128));
  }
  if (!isObject(message)) throw broken('not an object');
  return message;
}
