/** Events of the contracts that a flow writes, e.g. a fee paid at a payment platform. */
import { Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { deviceId } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';
import { journalRecord } from '../../contracts/record.ts';
import { GatehouseError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';

const eventInput = Type.Object(
  {
    device: deviceId,
    name: Type.String({ maxLength: 64, description: 'event of the contract' }),
    data: Type.Record(Type.String(), Type.Unknown()),
    cause: Type.Optional(Type.String({ maxLength: 64 })),
  },
  { additionalProperties: false, title: 'EventInput' },
);

export function eventRoutes(app: App, { parts: { inventory, journal } }: RouteContext): void {
  const validators = new Map<string, Validator>();

  app.post(
    '/events',
    {
      config: { right: 'event.write' },
      schema: { operationId: 'writeEvent', tags: ['records'], body: eventInput, response: { 201: journalRecord } },
    },
    async (request, reply) => {
      const { device: id, name, data, cause } = request.body;
      const device = inventory.device(id);
      if (!device) throw new GatehouseError('device.not_found', `No device ${id}`);
      const kind = scenarioOf(device.scenario)?.events[name];
      if (!kind) throw new GatehouseError('record.invalid', `${device.scenario} has no event ${name}`);
      const key = `${device.scenario}/${name}`;
      const validator = validators.get(key) ?? Compile(kind.data);
      validators.set(key, validator);
      if (!validator.Check(data)) {
        const faults = validator.Errors(data).map(({ instancePath, message }) => `data${instancePath} ${message}`);
        throw new GatehouseError('record.invalid', faults.slice(0, 5).join('; '));
      }
      const [record] = await journal.append({
        lane: kind.lane ?? 'L1',
        kind: 'event',
        scenario: device.scenario,
        device: id,
        name,
        data,
        actor: callerOf(request).actor,
        ...(cause === undefined ? {} : { cause }),
      });
      return reply.code(201).send(record);
    },
  );
}
