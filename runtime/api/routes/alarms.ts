/** Alarms: the list, what people do about them, and flows that raise and clear. */
import { type Static, Type } from 'typebox';
import { type Action, actions } from '../../alarms/lifecycle.ts';
import { createAlarmReports } from '../../alarms/report.ts';
import { alarmStatistics } from '../../contracts/alarm-statistics.ts';
import { type AlarmView, alarmAction, alarmView, deviceId, floodView } from '../../contracts/api.ts';
import { formatPosition } from '../../contracts/record.ts';
import { GatehouseError } from '../../errors.ts';
import { statisticsCsv } from '../alarm-report-text.ts';
import { callerOf } from '../caller.ts';
import { exportName } from '../export.ts';
import type { App, RouteContext } from '../parts.ts';
import { type Right, searchFrom } from '../rights.ts';

const closed = { additionalProperties: false } as const;
const listQuery = Type.Object(
  {
    state: Type.Optional(
      Type.Enum(['open', 'all', 'shelved', 'suppressed', 'out-of-service'], {
        description: 'open: all that is not closed, those put aside included',
      }),
    ),
    scenario: Type.Optional(Type.String({ maxLength: 64 })),
    device: Type.Optional(Type.String({ maxLength: 64 })),
    zone: Type.Optional(Type.String({ maxLength: 64 })),
    kind: Type.Optional(Type.String({ maxLength: 64 })),
    before: Type.Optional(Type.Integer({ minimum: 0, description: 'ms UTC of the last change; state=all' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
  },
  closed,
);
const alarmList = Type.Object({ position: Type.String(), items: Type.Array(alarmView) }, { title: 'AlarmList' });
const raiseInput = Type.Object(
  {
    device: deviceId,
    kind: Type.String({ maxLength: 64, description: 'alarm of the contract' }),
    data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    cause: Type.Optional(Type.String({ maxLength: 64 })),
  },
  { ...closed, title: 'AlarmRaise' },
);
const clearInput = Type.Object(
  { device: deviceId, kind: raiseInput.properties.kind, cause: raiseInput.properties.cause },
  { ...closed, title: 'AlarmClear' },
);

const outInput = Type.Object(
  {
    device: deviceId,
    kind: raiseInput.properties.kind,
    ticket: Type.String({ minLength: 1, maxLength: 64, description: 'number of the work order' }),
    minutes: alarmAction.properties.minutes,
    note: alarmAction.properties.note,
  },
  { ...closed, title: 'AlarmOutOfService' },
);
/** What each list of those put aside holds. */
const aside: Readonly<Record<string, AlarmView['process']>> = {
  shelved: 'SHELVED',
  suppressed: 'SUPPRESSED',
  'out-of-service': 'OUT_OF_SERVICE',
};

const statisticsQuery = Type.Object(
  {
    from: Type.Optional(Type.Integer({ minimum: 0, description: 'ms UTC; default: a day before the end' })),
    to: Type.Optional(Type.Integer({ minimum: 0, description: 'ms UTC; default: now' })),
    format: Type.Optional(Type.Enum(['json', 'csv'])),
  },
  closed,
);

const DAY_MS = 86_400_000;
/** Longer stretches are for the platform. */
const LONGEST_DAYS = 400;
const DEFAULT_LIMIT = 100;
const PAGE = 500;
/** A rare kind is searched this far back, no further: the journal itself is there for more. */
const MAX_PAGES = 20;

export function alarmRoutes(app: App, { parts }: RouteContext): void {
  const { alarms, journal, inventory, clock } = parts;
  const reports = createAlarmReports(journal);

  app.get(
    '/alarms',
    {
      config: { right: 'live.read' },
      schema: { operationId: 'listAlarms', tags: ['alarms'], querystring: listQuery, response: { 200: alarmList } },
    },
    (request) => {
      const { state = 'open', limit, before, ...wanted } = request.query;
      const position = formatPosition(journal.head()); // before the list: a follower repeats rather than misses
      const fits = (view: AlarmView) =>
        (Object.keys(wanted) as (keyof typeof wanted)[]).every((key) => view[key] === wanted[key]);
      const process = aside[state];
      const items =
        state === 'all'
          ? closedToo(fits, limit ?? DEFAULT_LIMIT, before)
          : alarms.open().filter((view) => fits(view) && (process === undefined || view.process === process));
      return { position, items: limit === undefined ? items : items.slice(0, limit) };
    },
  );

  function closedToo(fits: (view: AlarmView) => boolean, limit: number, before?: number): AlarmView[] {
    const found: AlarmView[] = [];
    let until = before;
    for (let page = 0; page < MAX_PAGES && found.length < limit; page++) {
      const views = alarms.all({ limit: PAGE, ...(until === undefined ? {} : { before: until }) });
      found.push(...views.filter(fits));
      until = views.at(-1)?.changedAt;
      if (views.length < PAGE) break;
    }
    return found.slice(0, limit);
  }

  app.get(
    '/alarms/flood',
    {
      config: { right: 'live.read' },
      schema: { operationId: 'getAlarmFlood', tags: ['alarms'], response: { 200: floodView } },
    },
    () => ({ booths: alarms.floods() }),
  );

  /** Changed after this moment, newest first, as far as anybody would look. */
  function changedSince(since: number): AlarmView[] {
    return closedToo(({ changedAt }) => changedAt > since, PAGE * MAX_PAGES);
  }

  app.get(
    '/alarms/statistics',
    {
      config: { right: 'records.read' },
      schema: {
        operationId: 'getAlarmStatistics',
        tags: ['alarms'],
        querystring: statisticsQuery,
        produces: ['application/json', 'text/csv'],
        response: { 200: alarmStatistics },
      },
    },
    async (request, reply) => {
      const { role, name } = callerOf(request);
      const now = clock.now();
      const to = Math.min(request.query.to ?? now, now);
      const oldest = searchFrom(role, now, inventory.site().timeZone);
      const from = Math.max(request.query.from ?? to - DAY_MS, oldest ?? 0);
      if (from >= to) throw new GatehouseError('http.invalid', 'from must be before to, and in what you may look at');
      if (to - from > LONGEST_DAYS * DAY_MS) {
        throw new GatehouseError('http.invalid', `from and to are more than ${LONGEST_DAYS} days apart`);
      }
      const known = [
        ...alarms.open(),
        ...(to < now ? changedSince(to).filter(({ handling }) => handling === 'closed') : []),
      ];
      const statistics = await reports.make({ from, to, booths: alarms.booths(inventory.zones()) }, known);
      if (request.query.format !== 'csv') return statistics;
      const file = exportName(name, now, 'csv').replace('records', 'alarms');
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="${file}"`)
        .serializer((text: string) => text)
        .send(statisticsCsv(statistics) as never);
    },
  );

  for (const action of actions) actionRoute(app, action, parts.alarms);

  const subjectOf = (id: string) => {
    const device = inventory.device(id);
    if (!device) throw new GatehouseError('device.not_found', `No device ${id}`);
    return { device: id, scenario: device.scenario, zone: device.zone };
  };

  app.post(
    '/alarms',
    {
      config: { right: 'alarm.raise' },
      schema: { operationId: 'raiseAlarm', tags: ['alarms'], body: raiseInput, response: { 201: alarmView } },
    },
    async (request, reply) => {
      const { device, kind, data, cause }: Static<typeof raiseInput> = request.body;
      const view = await alarms.raise({
        ...subjectOf(device),
        kind,
        actor: callerOf(request).actor,
        ...(data === undefined ? {} : { data }),
        ...(cause === undefined ? {} : { cause }),
      });
      return reply.code(201).send(view);
    },
  );

  app.post(
    '/alarms/out-of-service',
    {
      config: { right: 'alarm.service' },
      schema: {
        operationId: 'takeAlarmOutOfService',
        tags: ['alarms'],
        body: outInput,
        response: { 201: alarmView },
      },
    },
    async (request, reply) => {
      const { device, kind, ...body }: Static<typeof outInput> = request.body;
      const { actor, role } = callerOf(request);
      if (role === 'flow') throw new GatehouseError('auth.forbidden', 'Alarms are handled by people');
      return reply.code(201).send(await alarms.takeOut({ ...subjectOf(device), kind }, body, { actor, role }));
    },
  );

  app.post(
    '/alarms/clear',
    {
      config: { right: 'alarm.raise' },
      schema: {
        operationId: 'clearAlarm',
        tags: ['alarms'],
        body: clearInput,
        response: { 200: alarmView, 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { device, kind, cause } = request.body;
      const view = await alarms.clear(subjectOf(device).device, kind, cause, callerOf(request).actor);
      return view ? view : reply.code(204).send();
    },
  );
}

/** What an action needs beyond having an account of the booth. */
const rightOf: Partial<Record<Action, Right>> = {
  reset: 'alarm.reset',
  'clear-false': 'alarm.reset',
  'out-of-service': 'alarm.service',
  'in-service': 'alarm.service',
};
const camel = (action: string) => action.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

function actionRoute(app: App, action: Action, alarms: RouteContext['parts']['alarms']): void {
  app.post(
    `/alarms/:id/${action}`,
    {
      config: { right: rightOf[action] ?? 'alarm.handle' },
      schema: {
        operationId: `${camel(action)}Alarm`,
        tags: ['alarms'],
        params: Type.Object({ id: Type.String({ maxLength: 64 }) }, closed),
        body: alarmAction,
        response: { 200: alarmView },
      },
      // Most actions need nothing but the tap.
      preValidation: (request, _reply, done) => {
        request.body ??= {};
        done();
      },
    },
    (request) => {
      const { actor, role } = callerOf(request);
      if (role === 'flow') throw new GatehouseError('auth.forbidden', 'Alarms are handled by people');
      return alarms.act(request.params.id, action, request.body, { actor, role });
    },
  );
}
