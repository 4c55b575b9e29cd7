/** Plate cameras that push over HTTP; see frame.ts. The camera is told what was stored, never to open. */
import { Type } from 'typebox';
import { GatehouseError } from '../../runtime/errors.ts';
import type { Message, MessageDriver } from '../driver.ts';
import { decodePush, plainAnswer, plateAnswer, refusalAnswer } from './frame.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

export const vzenith: MessageDriver = {
  kind: 'message',
  protocol: 'vzenith',
  via: 'http',
  address: Type.Object({}, { additionalProperties: false, description: 'the camera calls the gateway' }),
  point: Type.Never({ description: 'a plate camera has events only' }),
  decode(profile, { body, contentType }): Message {
    const push = decodePush(body, contentType);
    if (push.kind !== 'plate') {
      return { readings: [], events: [], answer: { contentType: JSON_TYPE, body: plainAnswer } };
    }
    if (profile.role !== 'camera') {
      throw new GatehouseError('push.unreadable', `${profile.id} is no camera and cannot read plates`);
    }
    return { readings: [], events: [push.event], answer: { contentType: JSON_TYPE, body: plateAnswer(push) } };
  },
  refusal: () => ({ contentType: JSON_TYPE, body: refusalAnswer }),
};
