/** The journal as it grows, over server-sent events. */
import { Type } from 'typebox';
import { position } from '../../contracts/api.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';
import { filterFields, positionOf, queryFor } from '../record-query.ts';
import type { Streams } from '../streams.ts';

const streamQuery = Type.Object({ ...filterFields, after: Type.Optional(position) }, { additionalProperties: false });

export function streamRoutes(app: App, { parts }: RouteContext, streams: Streams): void {
  app.get(
    '/stream',
    {
      exposeHeadRoute: false,
      config: { right: 'records.read', quiet: true },
      schema: {
        operationId: 'followRecords',
        tags: ['records'],
        querystring: streamQuery,
        headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 32 })) }),
        produces: ['text/event-stream'],
        response: { 200: Type.String() },
      },
    },
    (request, reply) => {
      const caller = callerOf(request);
      const { after, ...filter } = request.query;
      // What the browser last saw is newer than the address it was opened with.
      const place = request.headers['last-event-id'] || after;
      const { kind, ...live } = queryFor(filter, caller, parts.clock.now(), parts.inventory.site().timeZone);
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value);
      }
      reply.raw.setHeader('content-type', 'text/event-stream; charset=utf-8');
      reply.raw.setHeader('cache-control', 'no-store');
      streams.open({
        caller,
        filter: { ...live, ...(kind === undefined ? {} : { kind }) },
        after: place === undefined ? undefined : positionOf(place),
        response: reply.raw,
      });
      reply.hijack();
    },
  );
}
