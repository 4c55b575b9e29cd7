/** May this plate or credential pass here now? The decision itself is on record before the answer. */
import { accessDecision, accessQuestion } from '../../contracts/api.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';

export function accessRoutes(app: App, { parts: { access } }: RouteContext): void {
  app.post(
    '/access',
    {
      config: { right: 'access.ask' },
      schema: { operationId: 'askAccess', tags: ['access'], body: accessQuestion, response: { 200: accessDecision } },
    },
    (request) => access.ask(request.body, callerOf(request).actor),
  );
}
