/** Public keys with which platforms sign commands: who may sign what. */
import { Type } from 'typebox';
import { platformKey } from '../../contracts/signed-command.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';
import { sameKey } from './devices.ts';

const byId = Type.Object({ id: platformKey.properties.id }, { additionalProperties: false });
const tags = ['uplinks'];

export function platformKeyRoutes(app: App, { parts: { platformKeys } }: RouteContext): void {
  app.get(
    '/platform-keys',
    {
      config: { right: 'platform-key.read' },
      schema: { operationId: 'listPlatformKeys', tags, response: { 200: Type.Array(platformKey) } },
    },
    () => platformKeys.list(),
  );

  app.put(
    '/platform-keys/:id',
    {
      config: { right: 'platform-key.write', proof: true },
      schema: {
        operationId: 'putPlatformKey',
        tags,
        params: byId,
        body: platformKey,
        response: { 200: platformKey, 201: platformKey },
      },
    },
    async (request, reply) => {
      sameKey(request.params.id, request.body.id);
      const { created } = await platformKeys.put(request.body, callerOf(request).actor);
      return reply.code(created ? 201 : 200).send(request.body);
    },
  );

  app.delete(
    '/platform-keys/:id',
    {
      config: { right: 'platform-key.write', proof: true },
      schema: { operationId: 'removePlatformKey', tags, params: byId, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await platformKeys.remove(request.params.id, callerOf(request).actor);
      return reply.code(204).send();
    },
  );
}
