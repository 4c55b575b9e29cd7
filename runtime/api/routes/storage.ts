/** How full the disk is and how long it lasts; a point's past, as far as it is kept. */
import { Type } from 'typebox';
import { deviceId, pointHistory, position, storageView } from '../../contracts/api.ts';
import { GatehouseError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';
import { positionOf } from '../record-query.ts';
import { searchFrom } from '../rights.ts';

const DAY_MS = 86_400_000;

const historyQuery = Type.Object(
  {
    device: deviceId,
    name: Type.String({ minLength: 1, maxLength: 128, description: 'point of the contract' }),
    from: Type.Optional(
      Type.Integer({ minimum: 0, description: 'gateway time, ms UTC, included; default: a day ago' }),
    ),
    to: Type.Optional(Type.Integer({ minimum: 0, description: 'gateway time, ms UTC, included; default: now' })),
    after: Type.Optional(position),
  },
  { additionalProperties: false },
);

export function storageRoutes(app: App, { parts }: RouteContext): void {
  const { clock, inventory } = parts;
  const storageOf = () => {
    const storage = parts.storage?.();
    if (!storage) throw new GatehouseError('http.not_found', 'The storage is not watched here');
    return storage;
  };

  app.get(
    '/storage',
    {
      config: { right: 'live.read', quiet: true },
      schema: { operationId: 'getStorage', tags: ['gateway'], response: { 200: storageView } },
    },
    () => storageOf().view(),
  );

  app.get(
    '/points/history',
    {
      config: { right: 'records.read' },
      schema: {
        operationId: 'getPointHistory',
        tags: ['records'],
        querystring: historyQuery,
        response: { 200: pointHistory },
      },
    },
    (request) => {
      const { device, name, to = clock.now(), from = to - DAY_MS, after } = request.query;
      const oldest = searchFrom(callerOf(request).role, clock.now(), inventory.site().timeZone);
      return storageOf().history({
        device,
        name,
        to,
        from: oldest === undefined ? from : Math.max(oldest, from),
        ...(after === undefined ? {} : { after: positionOf(after) }),
      });
    },
  );
}
