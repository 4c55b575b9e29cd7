/** The deploy history of the flows: what ran when, who wanted it, what differs, and the way back. */
import { Type } from 'typebox';
import { flowVersion, flowVersionDetail } from '../../contracts/api.ts';
import { GatehouseError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';

const PAGE = 50;
const byId = Type.Object({ id: Type.String({ pattern: '^[1-9][0-9]{0,11}$' }) }, { additionalProperties: false });
const listQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    before: Type.Optional(Type.Integer({ minimum: 1, description: 'only versions older than this one' })),
  },
  { additionalProperties: false },
);
const restoreInput = Type.Object(
  { note: Type.Optional(Type.String({ maxLength: 256, description: 'why' })) },
  { additionalProperties: false, title: 'FlowRestore' },
);
const page = Type.Object(
  { items: Type.Array(flowVersion, { description: 'newest first' }), next: Type.Optional(Type.Integer()) },
  { title: 'FlowVersions' },
);

export function flowRoutes(app: App, { parts: { flows, flowHistory } }: RouteContext): void {
  const history = () => {
    const found = flowHistory?.();
    if (!found) throw new GatehouseError('flows.off', 'There is no flow process, so there is no history of it');
    return found;
  };

  app.get(
    '/flows/versions',
    {
      config: { right: 'flow.list' },
      schema: { operationId: 'listFlowVersions', tags: ['flows'], querystring: listQuery, response: { 200: page } },
    },
    (request) => {
      const { limit = PAGE, before } = request.query;
      const items = history().list(limit, before);
      const last = items.at(-1);
      return { items, ...(last && items.length === limit && last.id > 1 ? { next: last.id } : {}) };
    },
  );

  app.get(
    '/flows/versions/:id',
    {
      config: { right: 'flow.read' },
      schema: { operationId: 'getFlowVersion', tags: ['flows'], params: byId, response: { 200: flowVersionDetail } },
    },
    (request) => history().get(Number(request.params.id)),
  );

  app.post(
    '/flows/versions/:id/restore',
    {
      config: { right: 'flow.write' },
      schema: {
        operationId: 'restoreFlowVersion',
        tags: ['flows'],
        params: byId,
        body: restoreInput,
        response: { 200: flowVersion },
      },
    },
    async (request) => {
      const running = flows?.();
      if (running?.state().editorUntil === undefined)
        throw new GatehouseError('flows.editor_closed', 'Start maintenance mode first: POST /api/v1/maintenance');
      const { actor } = callerOf(request);
      const version = await history().restore(Number(request.params.id), { actor, note: request.body.note ?? '' });
      running.reload();
      return version;
    },
  );
}
