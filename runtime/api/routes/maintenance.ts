/** Maintenance mode (reliability.md N8): the one time the flow editor can be reached. */
import { type Static, Type } from 'typebox';
import { GatehouseError } from '../../errors.ts';
import { auditDraft } from '../audit.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';

const view = Type.Object(
  { until: Type.Optional(Type.Integer({ description: 'ms UTC; absent: not in maintenance' })) },
  { title: 'Maintenance' },
);
const input = Type.Object(
  { minutes: Type.Integer({ minimum: 1, maximum: 60 }), reason: Type.String({ minLength: 1, maxLength: 256 }) },
  { additionalProperties: false, title: 'MaintenanceInput' },
);

export function maintenanceRoutes(app: App, { parts: { flows, clock, journal } }: RouteContext): void {
  const state = (): Static<typeof view> => {
    const until = flows?.()?.state().editorUntil;
    return until !== undefined && until > clock.now() ? { until } : {};
  };
  const running = () => {
    const found = flows?.();
    if (!found) throw new GatehouseError('flows.off', 'There is no flow process, so there is no editor');
    return found;
  };

  app.get(
    '/maintenance',
    {
      config: { right: 'maintenance.read', quiet: true },
      schema: { operationId: 'getMaintenance', tags: ['maintenance'], response: { 200: view } },
    },
    state,
  );

  app.post(
    '/maintenance',
    {
      config: { right: 'maintenance.write' },
      schema: { operationId: 'startMaintenance', tags: ['maintenance'], body: input, response: { 200: view } },
    },
    async (request) => {
      const { minutes, reason } = request.body;
      const process = running();
      const until = clock.now() + minutes * 60_000;
      await journal.append(
        auditDraft('gateway.maintenance.started', { minutes, reason, until }, callerOf(request).actor),
      );
      await process.openEditor(until);
      return state();
    },
  );

  app.delete(
    '/maintenance',
    {
      config: { right: 'maintenance.write' },
      schema: { operationId: 'endMaintenance', tags: ['maintenance'], response: { 200: view } },
    },
    async (request) => {
      const process = running();
      await journal.append(auditDraft('gateway.maintenance.ended', {}, callerOf(request).actor));
      await process.closeEditor();
      return state();
    },
  );
}
