/** The platforms above: where they are, what they get, and what is to be sent to them once more. */
import { Type } from 'typebox';
import { deviceId, replayInput, replayView, type Uplink, uplinkInput, uplinkView } from '../../contracts/api.ts';
import { GatehouseError } from '../../errors.ts';
import type { Caller } from '../auth.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext, UplinkPort } from '../parts.ts';
import { sameKey } from './devices.ts';

const byId = Type.Object({ id: deviceId }, { additionalProperties: false });
const tags = ['uplinks'];

export function uplinkRoutes(app: App, { parts }: RouteContext): void {
  const { inventory } = parts;

  const control = (): UplinkPort => {
    const port = parts.uplinkControl?.();
    if (!port) throw new GatehouseError('http.not_found', 'The gateway has not started its uplinks yet');
    return port;
  };
  const viewOf = (id: string, port: UplinkPort) => {
    const view = port.views().find((one) => one.id === id);
    if (!view) throw new GatehouseError('inventory.not_found', `No uplink ${id}`);
    return view;
  };

  app.get(
    '/uplinks',
    {
      config: { right: 'uplink.read', quiet: true },
      schema: { operationId: 'listUplinks', tags, response: { 200: Type.Array(uplinkView) } },
    },
    (request) => {
      const caller = callerOf(request);
      return control()
        .views()
        .filter(({ id }) => isOwn(caller, id));
    },
  );

  app.put(
    '/uplinks/:id',
    {
      config: { right: 'uplink.write', proof: true },
      schema: {
        operationId: 'putUplink',
        tags,
        params: byId,
        body: uplinkInput,
        response: { 200: uplinkView, 201: uplinkView },
      },
    },
    async (request, reply) => {
      const port = control();
      const uplink = request.body as Uplink;
      sameKey(request.params.id, uplink.id);
      port.check(uplink);
      const { created } = await inventory.putUplink(uplink, callerOf(request).actor);
      await port.settled();
      return reply.code(created ? 201 : 200).send(viewOf(uplink.id, port));
    },
  );

  app.delete(
    '/uplinks/:id',
    {
      config: { right: 'uplink.write', proof: true },
      schema: { operationId: 'removeUplink', tags, params: byId, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      const port = control();
      port.check({ id: request.params.id });
      await inventory.deleteUplink(request.params.id, callerOf(request).actor);
      await port.settled();
      return reply.code(204).send();
    },
  );

  app.post(
    '/uplinks/:id/replay',
    {
      config: { right: 'uplink.replay' },
      schema: { operationId: 'replayRecords', tags, params: byId, body: replayInput, response: { 202: replayView } },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      if (!isOwn(caller, id)) throw new GatehouseError('auth.forbidden', `This token is not that of platform ${id}`);
      return reply.code(202).send(await control().replay(id, request.body, caller.actor));
    },
  );
}

/** A platform's token bears its name, and so does its uplink. */
const isOwn = ({ role, name }: Caller, uplink: string): boolean => role !== 'platform' || name === uplink;
