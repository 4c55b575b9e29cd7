/** Things to happen on demand in the demo compound; on a real site there is nothing here. */
import { Type } from 'typebox';
import { GatehouseError } from '../../errors.ts';
import { auditDraft } from '../audit.ts';
import { callerOf } from '../caller.ts';
import { type App, demoActions, type RouteContext } from '../parts.ts';

const params = Type.Object({ action: Type.Enum(demoActions) }, { additionalProperties: false });
const body = Type.Object(
  { plate: Type.Optional(Type.String({ maxLength: 16, description: 'arrival: this car' })) },
  { additionalProperties: false, title: 'DemoInput' },
);

export function demoRoutes(app: App, { parts: { demo, journal } }: RouteContext): void {
  app.post(
    '/demo/:action',
    {
      config: { right: 'demo.play' },
      schema: { operationId: 'playDemo', tags: ['demo'], params, body, response: { 204: Type.Null() } },
      preValidation: (request, _reply, done) => {
        request.body ??= {};
        done();
      },
    },
    async (request, reply) => {
      const compound = demo?.();
      if (!compound) throw new GatehouseError('http.not_found', 'This gateway does not run the demo compound');
      const { action } = request.params;
      await journal.append(auditDraft('demo.action.played', { action, ...request.body }, callerOf(request).actor));
      await compound.play(action, request.body);
      return reply.code(204).send();
    },
  );
}
