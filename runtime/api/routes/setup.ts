/** First start: the first administrator, made with the code from the console. */
import { Type } from 'typebox';
import { session } from '../../contracts/api.ts';
import { addressOf } from '../gate.ts';
import type { App, RouteContext } from '../parts.ts';
import { setSessionCookie } from './sessions.ts';

const setupInput = Type.Object(
  {
    code: Type.String({ maxLength: 32 }),
    name: Type.String({ maxLength: 32 }),
    displayName: Type.String({ minLength: 1, maxLength: 64 }),
    password: Type.String({ maxLength: 256 }),
  },
  { additionalProperties: false, title: 'SetupInput' },
);

export function setupRoutes(app: App, { parts: { auth } }: RouteContext): void {
  app.get(
    '/setup',
    {
      config: { right: 'open' },
      schema: {
        operationId: 'getSetup',
        tags: ['setup'],
        response: { 200: Type.Object({ needed: Type.Boolean() }, { title: 'Setup' }) },
      },
    },
    () => ({ needed: auth.setupNeeded() }),
  );

  app.post(
    '/setup',
    {
      config: { right: 'open' },
      schema: { operationId: 'setUp', tags: ['setup'], body: setupInput, response: { 201: session } },
    },
    async (request, reply) => {
      const opened = await auth.setup(request.body, addressOf(request));
      setSessionCookie(request, reply, opened.secret);
      return reply.code(201).send(opened.session);
    },
  );
}
