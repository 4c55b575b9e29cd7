/** Notices and work orders. */
import { Type } from 'typebox';
import { deviceId } from '../../contracts/api.ts';
import {
  noticeInput,
  noticeView,
  type WorkOrderAction,
  workOrderActions,
  workOrderInput,
  workOrderStates,
  workOrderStatistics,
  workOrderStep,
  workOrderView,
} from '../../contracts/duty.ts';
import { GatehouseError } from '../../errors.ts';
import type { Caller } from '../auth.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';

const closed = { additionalProperties: false } as const;
const byId = Type.Object({ id: Type.String({ maxLength: 64 }) }, closed);
const keyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$', description: 'repeat it with the same body' }),
  ),
});
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'default 100' }));
const noticeQuery = Type.Object(
  {
    booth: Type.Optional(deviceId),
    unread: Type.Optional(Type.Boolean({ description: 'only those you have not read' })),
    past: Type.Optional(Type.Boolean({ description: 'also those whose time is over' })),
    limit,
  },
  closed,
);
const noticeList = Type.Object({ items: Type.Array(noticeView) }, { title: 'NoticeList' });
const orderQuery = Type.Object(
  {
    state: Type.Optional(Type.Enum([...workOrderStates, 'unfinished'] as const)),
    assignee: Type.Optional(Type.String({ maxLength: 64 })),
    overdue: Type.Optional(Type.Boolean()),
    before: Type.Optional(Type.Integer({ minimum: 0, description: 'ms UTC of the last change' })),
    limit,
  },
  closed,
);
const orderList = Type.Object({ items: Type.Array(workOrderView) }, { title: 'WorkOrderList' });
const figuresQuery = Type.Object(
  { from: Type.Optional(Type.Integer({ minimum: 0 })), to: Type.Optional(Type.Integer({ minimum: 0 })) },
  closed,
);
const MONTH_MS = 30 * 86_400_000;

/** Platforms have their own work orders and see ours in the records; neither list is for them. */
function roleOf({ role }: Caller) {
  if (role === 'platform') throw new GatehouseError('auth.forbidden', 'Platforms read the records');
  return role;
}

export function noticeRoutes(app: App, { parts: { notices } }: RouteContext): void {
  app.get(
    '/notices',
    {
      config: { right: 'notice.read', quiet: true },
      schema: { operationId: 'listNotices', tags: ['duty'], querystring: noticeQuery, response: { 200: noticeList } },
    },
    (request) => {
      const caller = callerOf(request);
      const { unread, booth, past, limit: most } = request.query;
      return {
        items: notices.list({
          role: roleOf(caller),
          ...(booth === undefined ? {} : { booth }),
          ...(past === undefined ? {} : { past }),
          ...(most === undefined ? {} : { limit: most }),
          ...(unread ? { unreadBy: caller.name } : {}),
        }),
      };
    },
  );

  app.post(
    '/notices',
    {
      config: { right: 'notice.write' },
      schema: {
        operationId: 'sendNotice',
        tags: ['duty'],
        headers: keyHeader,
        body: noticeInput,
        response: { 201: noticeView },
      },
    },
    async (request, reply) => {
      const sent = await notices.send(request.body, callerOf(request).actor, request.headers['idempotency-key']);
      return reply.code(201).send(sent);
    },
  );

  app.post(
    '/notices/:id/read',
    {
      config: { right: 'notice.confirm' },
      schema: { operationId: 'readNotice', tags: ['duty'], params: byId, response: { 200: noticeView } },
    },
    (request) => {
      const { name, actor } = callerOf(request);
      return notices.read(request.params.id, name, actor);
    },
  );
}

export function workOrderRoutes(app: App, { parts }: RouteContext): void {
  const { workOrders, clock } = parts;

  app.get(
    '/work-orders',
    {
      config: { right: 'workorder.read', quiet: true },
      schema: { operationId: 'listWorkOrders', tags: ['duty'], querystring: orderQuery, response: { 200: orderList } },
    },
    (request) => ({ items: workOrders.list(request.query) }),
  );

  app.get(
    '/work-orders/statistics',
    {
      config: { right: 'workorder.read' },
      schema: {
        operationId: 'getWorkOrderStatistics',
        tags: ['duty'],
        querystring: figuresQuery,
        response: { 200: workOrderStatistics },
      },
    },
    (request) => {
      const { to = clock.now(), from = to - MONTH_MS } = request.query;
      return workOrders.statistics(from, to);
    },
  );

  app.get(
    '/work-orders/:id',
    {
      config: { right: 'workorder.read' },
      schema: { operationId: 'getWorkOrder', tags: ['duty'], params: byId, response: { 200: workOrderView } },
    },
    (request) => workOrders.get(request.params.id),
  );

  app.post(
    '/work-orders',
    {
      config: { right: 'workorder.create' },
      schema: {
        operationId: 'createWorkOrder',
        tags: ['duty'],
        headers: keyHeader,
        body: workOrderInput,
        response: { 201: workOrderView },
      },
    },
    async (request, reply) => {
      const made = await workOrders.create(request.body, callerOf(request).actor, request.headers['idempotency-key']);
      return reply.code(201).send(made);
    },
  );

  for (const action of workOrderActions) stepRoute(app, action, workOrders);
}

const operations = { assign: 'assignWorkOrder', done: 'finishWorkOrder', cancel: 'cancelWorkOrder' } as const;

function stepRoute(app: App, action: WorkOrderAction, workOrders: RouteContext['parts']['workOrders']): void {
  app.post(
    `/work-orders/:id/${action}`,
    {
      config: { right: 'workorder.handle' },
      schema: {
        operationId: operations[action],
        tags: ['duty'],
        params: byId,
        body: workOrderStep,
        response: { 200: workOrderView },
      },
      preValidation: (request, _reply, done) => {
        request.body ??= {};
        done();
      },
    },
    (request) => {
      const { actor, name, role } = callerOf(request);
      return workOrders.act(request.params.id, action, request.body, { actor, name, role });
    },
  );
}
