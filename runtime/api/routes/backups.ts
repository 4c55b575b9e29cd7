/** Backups over HTTP: what there is, one more, and the file itself to keep elsewhere (reliability.md section 7). */
import { createReadStream } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type Static, Type } from 'typebox';
import { GatehouseError } from '../../errors.ts';
import { auditDraft } from '../audit.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';

const backup = Type.Object(
  {
    name: Type.String(),
    kind: Type.Enum(['full', 'config'], { description: 'config: everything but the records' }),
    origin: Type.Enum(['schedule', 'demand', 'epoch']),
    created: Type.Integer({ description: 'ms UTC' }),
    head: Type.String({ description: 'Head of the journal then, epoch:seq' }),
    version: Type.String(),
    gateway: Type.String(),
    bytes: Type.Integer(),
    portable: Type.Boolean({ description: 'A passphrase opens it, so also on another box' }),
  },
  { title: 'Backup' },
);
const list = Type.Object({ items: Type.Array(backup), running: Type.Boolean() }, { title: 'Backups' });
const started = Type.Object({ running: Type.Literal(true) }, { title: 'BackupStarted' });
const wish = Type.Object(
  {
    kind: Type.Optional(Type.Enum(['full', 'config'])),
    passphrase: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    remember: Type.Optional(
      Type.Boolean({ description: 'The daily backups can be opened with this passphrase from now on, too' }),
    ),
  },
  { additionalProperties: false, title: 'BackupWish' },
);
const byName = Type.Object({ name: Type.String({ pattern: String.raw`^[0-9-]{15,19}\.ghb$` }) });

/** A large one takes longer than a caller waits for an answer. */
const PATIENCE_MS = 20_000;

export function backupRoutes(app: App, { parts: { backups, journal, log } }: RouteContext): void {
  const port = () => {
    const found = backups?.();
    if (!found) throw new GatehouseError('backup.busy', 'Backups are not in service yet');
    return found;
  };

  app.get(
    '/backups',
    {
      config: { right: 'backup.read', quiet: true },
      schema: { operationId: 'listBackups', tags: ['backups'], response: { 200: list } },
    },
    (): Static<typeof list> => ({ items: port().list(), running: port().running() }),
  );

  app.post(
    '/backups',
    {
      config: { right: 'backup.make', proof: true },
      schema: { operationId: 'makeBackup', tags: ['backups'], body: wish, response: { 201: backup, 202: started } },
    },
    async (request, reply) => {
      const making = port().make(request.body ?? {}, callerOf(request).actor);
      making.catch((error: unknown) => log.warn({ err: error }, 'a backup asked for was not made'));
      const made = await Promise.race([making, pause(PATIENCE_MS, undefined, { ref: false })]);
      if (made === undefined) return reply.code(202).send({ running: true });
      return reply.code(201).header('location', `/api/v1/backups/${made.name}`).send(made);
    },
  );

  app.get(
    '/backups/:name',
    {
      exposeHeadRoute: false,
      config: { right: 'backup.make', proof: true },
      schema: {
        operationId: 'getBackup',
        tags: ['backups'],
        params: byName,
        produces: ['application/octet-stream'],
        response: { 200: Type.String() },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { path, bytes } = port().file(name);
      // Committed before the first byte: nothing leaves that is not on record.
      await journal.append(auditDraft('backup.downloaded', { archive: name, bytes }, callerOf(request).actor));
      return reply
        .header('content-type', 'application/octet-stream')
        .header('content-length', String(bytes))
        .header('content-disposition', `attachment; filename="${name}"`)
        .send(createReadStream(path));
    },
  );
}
