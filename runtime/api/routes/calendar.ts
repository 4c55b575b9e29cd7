/** Holidays of the site, where it lies, and the times that schedules tell. */
import { Type } from 'typebox';
import { withYear, yearOf } from '../../calendar/calendar.ts';
import {
  calendarInput,
  calendarView,
  calendarYear,
  location,
  occurrenceInput,
  occurrenceView,
} from '../../contracts/calendar.ts';
import { GatehouseError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';

const closed = { additionalProperties: false } as const;
const year = Type.Integer({ minimum: 2000, maximum: 2099 });
const byYear = Type.Object({ year: Type.String({ pattern: '^20[0-9]{2}$' }) }, closed);
const span = Type.Object({ from: Type.Optional(year), to: Type.Optional(year) }, closed);
const LONGEST = 10;

export function calendarRoutes(app: App, { parts }: RouteContext): void {
  const { calendar, inventory, clock } = parts;

  app.get(
    '/calendar',
    {
      config: { right: 'live.read' },
      schema: { operationId: 'getCalendar', tags: ['calendar'], querystring: span, response: { 200: calendarView } },
    },
    (request) => {
      const now = new Date(clock.now()).getUTCFullYear();
      const { from = now, to = from + 1 } = request.query;
      if (to < from || to - from >= LONGEST) {
        throw new GatehouseError('http.invalid', `from ${from} to ${to}: at most ${LONGEST} years at once`);
      }
      return calendar.view(from, to);
    },
  );

  app.put(
    '/calendar/:year',
    {
      config: { right: 'calendar.write' },
      schema: {
        operationId: 'putCalendarYear',
        tags: ['calendar'],
        params: byYear,
        body: calendarInput,
        response: { 200: calendarYear },
      },
    },
    async (request) => {
      const site = inventory.site();
      const list = withYear(site.calendar ?? [], Number(request.params.year), request.body.days);
      await inventory.putSite({ ...site, calendar: list }, callerOf(request).actor);
      return yearOf(Number(request.params.year), list);
    },
  );

  app.delete(
    '/calendar/:year',
    {
      config: { right: 'calendar.write' },
      schema: {
        operationId: 'removeCalendarYear',
        tags: ['calendar'],
        params: byYear,
        response: { 200: calendarYear },
      },
    },
    async (request) => {
      const site = inventory.site();
      const list = withYear(site.calendar ?? [], Number(request.params.year), []);
      await inventory.putSite({ ...site, calendar: list }, callerOf(request).actor);
      return yearOf(Number(request.params.year), list);
    },
  );

  app.put(
    '/calendar/location',
    {
      config: { right: 'calendar.write' },
      schema: { operationId: 'putLocation', tags: ['calendar'], body: location, response: { 200: location } },
    },
    async (request) => {
      await inventory.putSite({ ...inventory.site(), location: request.body }, callerOf(request).actor);
      return request.body;
    },
  );

  app.post(
    '/schedules/occurrences',
    {
      config: { right: 'event.write' },
      schema: {
        operationId: 'tellOccurrence',
        tags: ['calendar'],
        body: occurrenceInput,
        response: { 200: occurrenceView },
      },
    },
    (request) => calendar.told(request.body, callerOf(request).actor),
  );
}
