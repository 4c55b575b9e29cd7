/** Replays of past records into a flow: always dry; who may deploy may replay. */
import { Type } from 'typebox';
import { flowReplayView, replayRequest } from '../../contracts/replay.ts';
import { GatehouseError } from '../../errors.ts';
import type { Site } from '../../replay/replays.ts';
import { auditDraft } from '../audit.ts';
import { callerOf } from '../caller.ts';
import type { App, Parts, RouteContext } from '../parts.ts';
import { viewOf } from './devices.ts';

const closed = { additionalProperties: false } as const;
const byId = Type.Object({ id: Type.String({ maxLength: 64 }) }, closed);
const replayList = Type.Object({ items: Type.Array(flowReplayView) }, { title: 'FlowReplayList' });
const tabList = Type.Object(
  { items: Type.Array(Type.Object({ id: Type.String(), name: Type.String() })) },
  { title: 'FlowTabList' },
);
const saveInput = Type.Object(
  { title: Type.String({ minLength: 1, maxLength: 200 }) },
  { ...closed, title: 'ReplaySave' },
);
const saved = Type.Object({ file: Type.String({ description: 'below the data directory' }) }, { title: 'ReplaySaved' });

/** The site as a flow sees it. */
function siteOf(parts: Parts): Site {
  const { inventory, access, calendar, clock } = parts;
  const flow = { role: 'flow', sender: 'flow' } as const;
  const { id, name, timeZone } = inventory.site();
  const year = new Date(clock.now()).getUTCFullYear();
  return {
    site: { id, name, timeZone },
    devices: (query) => inventory.devices(query).map((device) => viewOf(device, parts, flow, '')),
    device(wanted) {
      const device = inventory.device(wanted);
      return device && viewOf(device, parts, flow, '');
    },
    zones: () => inventory.zones(),
    calendar: () => calendar.view(year, year + 1),
    decide: (question) => access.decide(question),
  };
}

export function replayRoutes(app: App, { parts }: RouteContext): void {
  const { journal } = parts;
  const replays = () => {
    const found = parts.replays?.();
    if (!found) throw new GatehouseError('flows.off', 'There are no flows here');
    return found;
  };

  app.get(
    '/flows/tabs',
    {
      config: { right: 'flows.replay' },
      schema: { operationId: 'listFlowTabs', tags: ['flows'], response: { 200: tabList } },
    },
    () => ({ items: replays().tabs() }),
  );

  app.get(
    '/flows/replays',
    {
      config: { right: 'flows.replay', quiet: true },
      schema: { operationId: 'listFlowReplays', tags: ['flows'], response: { 200: replayList } },
    },
    () => ({ items: replays().list() }),
  );

  app.post(
    '/flows/replays',
    {
      config: { right: 'flows.replay' },
      schema: {
        operationId: 'startFlowReplay',
        tags: ['flows'],
        body: replayRequest,
        response: { 201: flowReplayView },
      },
    },
    async (request, reply) => {
      const { actor } = callerOf(request);
      const view = await replays().start(request.body, actor, siteOf(parts));
      const { id, tab, total, speed } = view;
      await journal.append(
        auditDraft('flows.replay.started', { replay: id, tab: tab.name, total, speed }, actor, 'flows'),
      );
      return reply.code(201).header('location', `/api/v1/flows/replays/${id}`).send(view);
    },
  );

  app.get(
    '/flows/replays/:id',
    {
      config: { right: 'flows.replay', quiet: true },
      schema: { operationId: 'getFlowReplay', tags: ['flows'], params: byId, response: { 200: flowReplayView } },
    },
    (request) => replays().get(request.params.id),
  );

  app.post(
    '/flows/replays/:id/step',
    {
      config: { right: 'flows.replay' },
      schema: { operationId: 'stepFlowReplay', tags: ['flows'], params: byId, response: { 200: flowReplayView } },
    },
    (request) => replays().step(request.params.id),
  );

  app.delete(
    '/flows/replays/:id',
    {
      config: { right: 'flows.replay' },
      schema: { operationId: 'stopFlowReplay', tags: ['flows'], params: byId, response: { 200: flowReplayView } },
    },
    (request) => replays().stop(request.params.id),
  );

  app.post(
    '/flows/replays/:id/save',
    {
      config: { right: 'flows.replay' },
      schema: {
        operationId: 'saveFlowReplay',
        tags: ['flows'],
        params: byId,
        body: saveInput,
        response: { 201: saved },
      },
    },
    (request, reply) => reply.code(201).send(replays().save(request.params.id, request.body.title)),
  );
}
