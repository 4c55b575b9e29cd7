/** Pictures a record names by their hash. */
import { createReadStream, statSync } from 'node:fs';
import { Type } from 'typebox';
import { GatehouseError } from '../../errors.ts';
import type { App, RouteContext } from '../parts.ts';

const byHash = Type.Object({ hash: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the file' }) });

export function evidenceRoutes(app: App, { parts: { evidence } }: RouteContext): void {
  app.get(
    '/evidence/:hash',
    {
      exposeHeadRoute: false,
      config: { right: 'evidence.read' },
      schema: {
        operationId: 'getEvidence',
        tags: ['records'],
        params: byHash,
        produces: ['image/jpeg'],
        response: { 200: Type.String() },
      },
    },
    (request, reply) => {
      const { hash } = request.params;
      const path = evidence.pathOf(hash);
      if (path === undefined) throw new GatehouseError('evidence.not_found', `No picture ${hash}`);
      // Named by its content, so it never changes; private, so no proxy keeps it.
      return reply
        .header('content-type', 'image/jpeg')
        .header('content-length', String(statSync(path).size))
        .header('cache-control', 'private, max-age=86400, immutable')
        .send(createReadStream(path));
    },
  );
}
