/** The journal over HTTP: pages, the chain of causes, and exports that go out as they are read. */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { recordsPage } from '../../contracts/api.ts';
import { journalRecord } from '../../contracts/record.ts';
import { GatehouseError } from '../../errors.ts';
import { auditDraft } from '../audit.ts';
import { callerOf } from '../caller.ts';
import { chainOf } from '../chain.ts';
import { createExports, exportName } from '../export.ts';
import { maskRecord } from '../masking.ts';
import type { App, RouteContext } from '../parts.ts';
import { mayRead, queryFor, recordsQuery, searchFields } from '../record-query.ts';
import { pageText } from '../record-text.ts';
import { sights } from '../rights.ts';

const byId = Type.Object({ id: Type.String({ maxLength: 64 }) }, { additionalProperties: false });
const exportQuery = Type.Object(
  {
    ...searchFields,
    format: Type.Enum(['csv', 'ndjson']),
    reason: Type.Optional(Type.String({ minLength: 4, maxLength: 256, description: 'administrators: why' })),
  },
  { additionalProperties: false },
);

export function recordRoutes(app: App, { parts }: RouteContext): void {
  const { journal, clock, inventory } = parts;
  const zone = () => inventory.site().timeZone;
  const exports = createExports(journal);

  app.get(
    '/records',
    {
      config: { right: 'records.read' },
      schema: {
        operationId: 'listRecords',
        tags: ['records'],
        querystring: recordsQuery,
        response: { 200: recordsPage },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const page = await journal.search(queryFor(request.query, caller, clock.now(), zone()), goneSignal(reply.raw));
      return reply.type('application/json; charset=utf-8').send(pageText(page, sights[caller.role].mask));
    },
  );

  app.get(
    '/records/:id/chain',
    {
      config: { right: 'records.read' },
      schema: {
        operationId: 'getChain',
        tags: ['records'],
        params: byId,
        response: { 200: Type.Object({ items: Type.Array(journalRecord) }, { title: 'Chain' }) },
      },
    },
    (request) => {
      const caller = callerOf(request);
      const record = journal.find(request.params.id);
      if (!record || !mayRead(caller, record, clock.now(), zone())) {
        throw new GatehouseError('record.not_found', `No record ${request.params.id} that you may see`);
      }
      const items = chainOf(record, parts).filter((item) => mayRead(caller, item, clock.now(), zone()));
      return { items: items.map((item) => maskRecord(item, sights[caller.role].mask)) };
    },
  );

  app.get(
    '/records/export',
    {
      exposeHeadRoute: false,
      config: { right: 'records.export' },
      schema: {
        operationId: 'exportRecords',
        tags: ['records'],
        querystring: exportQuery,
        produces: ['text/csv', 'application/x-ndjson'],
        response: { 200: Type.String() },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { format, reason, ...asked } = request.query;
      if (caller.role === 'admin' && reason === undefined) {
        throw new GatehouseError('record.reason', 'An administrator exports personal data with a reason only');
      }
      exports.check();
      // Committed before the first byte: nothing leaves that is not on record.
      const facts = { format, ...asked, ...(reason === undefined ? {} : { reason }) };
      await journal.append(auditDraft('records.export.started', facts, caller.actor));
      const query = queryFor(asked, caller, clock.now(), zone());
      const rows = exports.text(query, format, sights[caller.role].mask);
      const type = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson; charset=utf-8';
      return reply
        .header('content-type', type)
        .header('content-disposition', `attachment; filename="${exportName(caller.name, clock.now(), format)}"`)
        .send(Readable.from(rows, { objectMode: false, highWaterMark: 64 * 1024 }));
    },
  );
}

/** Aborts when the client is gone, so that nobody searches on for it. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new GatehouseError('record.search', 'The client has gone'));
  });
  return gone.signal;
}
