/** Devices that publish contract JSON to the device broker; see frame.ts. */
import { Type } from 'typebox';
import { GatehouseError } from '../../runtime/errors.ts';
import type { Message, MessageDriver } from '../driver.ts';
import { channelOf, decodeEvent, decodeTelemetry } from './frame.ts';

export const mqttJson: MessageDriver = {
  kind: 'message',
  protocol: 'mqtt-json',
  via: 'mqtt',
  address: Type.Object({}, { additionalProperties: false, description: 'the device logs in to the broker' }),
  point: Type.Object(
    { deadband: Type.Optional(Type.Number({ minimum: 0, description: 'a smaller change is not recorded' })) },
    { additionalProperties: false },
  ),
  decode(profile, { body, topic }): Message {
    if (topic === undefined) throw new GatehouseError('driver.frame', `${profile.id}: a message without topic`);
    if (channelOf(topic) === 'event') return { readings: [], events: [decodeEvent(body)] };
    return { readings: decodeTelemetry(body, (point) => Object.hasOwn(profile.points, point)), events: [] };
  },
  refusal: () => undefined,
};
