/** What people on duty are told (notices) and given to do (work orders 工单): shapes of the API and of the records. */
import { type Static, Type } from 'typebox';
import { deviceId } from './api.ts';
import { type EventKind, roles } from './contract.ts';
import { says } from './words.ts';

const closed = { additionalProperties: false } as const;
const text = (maxLength: number) => Type.String({ minLength: 1, maxLength });
const priority = Type.Integer({ minimum: 1, maximum: 4, description: '1 urgent to 4 for information' });
const cause = Type.Optional(Type.String({ maxLength: 64, description: 'record or alarm that led here' }));
const places = (description: string) =>
  Type.Optional(Type.Array(deviceId, { minItems: 1, maxItems: 64, uniqueItems: true, description }));

/** Whom a notice is for. Nobody named: everybody. */
export const noticeTo = Type.Object(
  {
    roles: Type.Optional(Type.Array(Type.Enum(roles), { minItems: 1, maxItems: roles.length, uniqueItems: true })),
    booths: places('booths by their zone; absent: every booth'),
    screens: places('information screens by device'),
  },
  { ...closed, title: 'NoticeTo' },
);

export const noticeInput = Type.Object(
  {
    title: Type.Optional(text(64)),
    text: text(500),
    priority: Type.Optional(priority),
    to: Type.Optional(noticeTo),
    until: Type.Optional(Type.Integer({ minimum: 0, description: 'ms UTC; shown no longer than this' })),
    cause,
  },
  { ...closed, title: 'NoticeInput' },
);
export type NoticeInput = Static<typeof noticeInput>;

export const noticeView = Type.Object(
  {
    id: Type.String(),
    title: Type.Optional(Type.String()),
    text: Type.String(),
    priority,
    to: noticeTo,
    from: Type.String({ description: 'actor' }),
    at: Type.Integer(),
    until: Type.Optional(Type.Integer()),
    cause: Type.Optional(Type.String()),
    reads: Type.Array(Type.Object({ name: Type.String(), at: Type.Integer() }), { description: 'who has read it' }),
  },
  { title: 'Notice' },
);
export type NoticeView = Static<typeof noticeView>;

export const workOrderStates = ['open', 'assigned', 'done', 'cancelled'] as const;
export type WorkOrderState = (typeof workOrderStates)[number];

export const workOrderInput = Type.Object(
  {
    title: text(64),
    text: Type.Optional(text(500)),
    priority: Type.Optional(priority),
    device: Type.Optional(deviceId),
    zone: Type.Optional(deviceId),
    alarm: Type.Optional(Type.String({ maxLength: 64, description: 'alarm it is about' })),
    assignee: Type.Optional(text(64)),
    due: Type.Optional(Type.Integer({ minimum: 0, description: 'ms UTC' })),
    cause,
  },
  { ...closed, title: 'WorkOrderInput' },
);
export type WorkOrderInput = Static<typeof workOrderInput>;

export const workOrderView = Type.Object(
  {
    id: Type.String(),
    title: Type.String(),
    text: Type.Optional(Type.String()),
    state: Type.Enum(workOrderStates),
    priority,
    device: Type.Optional(Type.String()),
    zone: Type.Optional(Type.String()),
    alarm: Type.Optional(Type.String()),
    assignee: Type.Optional(Type.String()),
    due: Type.Optional(Type.Integer()),
    /** When it was found open after its due time: told once. */
    overdueAt: Type.Optional(Type.Integer()),
    createdBy: Type.String(),
    createdAt: Type.Integer(),
    changedBy: Type.String(),
    changedAt: Type.Integer(),
    assignedAt: Type.Optional(Type.Integer()),
    closedAt: Type.Optional(Type.Integer()),
    note: Type.Optional(Type.String()),
    cause: Type.Optional(Type.String()),
  },
  { title: 'WorkOrder' },
);
export type WorkOrderView = Static<typeof workOrderView>;

export const workOrderActions = ['assign', 'done', 'cancel'] as const;
export type WorkOrderAction = (typeof workOrderActions)[number];
/** Body of `POST /work-orders/{id}/{action}`: what each action needs. */
export const workOrderStep = Type.Object(
  {
    assignee: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'assign; absent: oneself' })),
    due: Type.Optional(Type.Integer({ minimum: 0, description: 'assign; ms UTC' })),
    note: Type.Optional(Type.String({ minLength: 1, maxLength: 500, description: 'done, cancel: what was found' })),
  },
  { ...closed, title: 'WorkOrderStep' },
);
export type WorkOrderStep = Static<typeof workOrderStep>;

const amount = (description: string) => Type.Integer({ minimum: 0, description });
const minutes = (description: string) => Type.Optional(Type.Number({ minimum: 0, description }));
export const workOrderStatistics = Type.Object(
  {
    from: Type.Integer(),
    to: Type.Integer(),
    created: amount('created in this time'),
    done: amount('done in this time'),
    cancelled: amount('cancelled in this time'),
    late: amount('done in this time after they were due'),
    open: amount('neither done nor cancelled now'),
    overdue: amount('of these, past their due time now'),
    medianMinutes: minutes('from creation to done, half of them took no longer; absent: none was done'),
    people: Type.Array(
      Type.Object({
        assignee: Type.String(),
        done: amount('done'),
        late: amount('done late'),
        open: amount('open now'),
      }),
    ),
  },
  { title: 'WorkOrderStatistics' },
);
export type WorkOrderStatistics = Static<typeof workOrderStatistics>;

const id = (en: string, zh: string) => Type.String(says(en, zh));
const orderData = Type.Object({
  order: id('Work order id.', '工单编号'),
  title: Type.String(says('What is to be done.', '事项')),
  state: Type.Enum(workOrderStates, says('State after it.', '状态')),
  priority: Type.Integer({ minimum: 1, maximum: 4, ...says('1 urgent to 4.', '优先级') }),
  assignee: Type.Optional(Type.String(says('Who does it.', '处理人'))),
  due: Type.Optional(Type.Integer(says('To be done by, UTC.', '期限', 'ms'))),
  alarm: Type.Optional(Type.String(says('Alarm it is about.', '报警编号'))),
  subject: Type.Optional(Type.String(says('Device it is about.', '设备'))),
  zone: Type.Optional(Type.String(says('Zone it is about.', '区域'))),
  note: Type.Optional(Type.String(says('What was found.', '说明'))),
});

/** Events of the scenario `gateway`. */
export const dutyEvents = {
  'notice.sent': {
    words: { zh: '通知', en: 'Notice' },
    data: Type.Object({
      notice: id('Notice id.', '通知编号'),
      title: Type.Optional(Type.String(says('Heading.', '标题'))),
      text: Type.String(says('What is said.', '内容')),
      priority: Type.Integer({ minimum: 1, maximum: 4, ...says('1 urgent to 4.', '优先级') }),
      to: Type.Unknown(says('Roles, booths and screens; empty: everybody.', '对象')),
      until: Type.Optional(Type.Integer(says('Shown no longer than this, UTC.', '截止时间', 'ms'))),
    }),
  },
  'notice.read': {
    words: { zh: '通知已读', en: 'Notice read' },
    data: Type.Object({
      notice: id('Notice id.', '通知编号'),
      name: Type.String(says('Who has read it.', '阅读人')),
    }),
  },
  'workorder.created': { words: { zh: '工单建立', en: 'Work order created' }, data: orderData },
  'workorder.assigned': { words: { zh: '工单派给', en: 'Work order assigned' }, data: orderData },
  'workorder.done': { words: { zh: '工单完成', en: 'Work order done' }, data: orderData },
  'workorder.cancelled': { words: { zh: '工单取消', en: 'Work order cancelled' }, data: orderData },
  'workorder.overdue': { words: { zh: '工单超期', en: 'Work order overdue' }, data: orderData },
} as const satisfies Readonly<Record<string, EventKind>>;
