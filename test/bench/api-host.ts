/**
 * The HTTP side over a real journal and beside it Fastify with nothing but one route, for the benchmark of a page. Started
 * as a process of its own; says `{ page, cookie, bare }` once both listen.
 */
import Fastify from 'fastify';
import { openTestGateway } from '../../runtime/api/gateway.fixture.ts';

export interface ApiUp {
  /** Port of the gateway and the log-in it accepts. */
  readonly page: number;
  readonly cookie: string;
  /** Port of Fastify alone. */
  readonly bare: number;
}

export const PAGE = '/api/v1/records?limit=20&order=desc';
const RECORDS = 5000;
const HOST = '127.0.0.1';

if (import.meta.main) {
  const gateway = await openTestGateway({ parts: { checkAnswers: false } });
  await gateway.journal.append(
    ...Array.from({ length: RECORDS }, (_, n) => ({
      lane: 'L1' as const,
      kind: 'event' as const,
      scenario: 'vehicle-gate',
      device: 'gate-east-in',
      name: 'passage',
      data: { direction: 'in', plate: `粤B${String(n).padStart(5, '0')}`, occupiedMs: n },
    })),
  );
  const { cookie = '' } = await gateway.login('auditor');
  const { port } = await gateway.api.listen();
  const app = Fastify();
  app.get('/', () => ({ ok: true }));
  const page: unknown = (await gateway.call('GET', PAGE, { as: 'auditor' })).json();
  app.get('/page', () => page);
  const bare = Number(new URL(await app.listen({ host: HOST, port: 0 })).port);
  process.send?.({ page: port, cookie, bare } satisfies ApiUp);
  process.once('disconnect', () => {
    void Promise.all([gateway[Symbol.asyncDispose](), app.close()]).then(() => process.exit(0));
  });
}
