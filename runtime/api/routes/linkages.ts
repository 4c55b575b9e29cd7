/** Safety linkages: what each does where, whether it is at work, and its test, which touches nothing. */
import { Type } from 'typebox';
import { linkageTest, linkageView } from '../../contracts/linkage-view.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';

const params = Type.Object(
  { id: Type.String({ maxLength: 16, description: 'e.g. L02' }) },
  { additionalProperties: false },
);
const linkageList = Type.Object({ items: Type.Array(linkageView) }, { title: 'LinkageList' });

export function linkageRoutes(app: App, { parts: { linkages } }: RouteContext): void {
  app.get(
    '/linkages',
    {
      config: { right: 'live.read' },
      schema: { operationId: 'listLinkages', tags: ['linkages'], response: { 200: linkageList } },
    },
    () => ({ items: linkages.list() }),
  );
  app.get(
    '/linkages/:id',
    {
      config: { right: 'live.read' },
      schema: { operationId: 'getLinkage', tags: ['linkages'], params, response: { 200: linkageView } },
    },
    (request) => linkages.get(request.params.id),
  );
  app.post(
    '/linkages/:id/test',
    {
      config: { right: 'linkage.test' },
      schema: { operationId: 'testLinkage', tags: ['linkages'], params, response: { 200: linkageTest } },
    },
    (request) => linkages.test(request.params.id, callerOf(request).actor),
  );
}
