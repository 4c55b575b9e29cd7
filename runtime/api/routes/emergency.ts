/**
 * The emergency opening 紧急开启 (reliability.md F8): no log-in, to the safe side only, never locked, always audited, and an
 * urgent alarm each time. Whoever stands in the booth can let people out.
 */
import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { type CommandView, commandView, deviceId } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';
import { finalStates } from '../../contracts/record.ts';
import { GatehouseError } from '../../errors.ts';
import { addressOf } from '../gate.ts';
import { isOwnChild } from '../own-children.ts';
import type { App, RouteContext } from '../parts.ts';

const input = Type.Object(
  {
    device: deviceId,
    booth: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,32}$', description: 'the screen it was pressed on' })),
  },
  { additionalProperties: false, title: 'EmergencyOpenInput' },
);
const waitQuery = Type.Object(
  { wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 25_000, description: 'ms to wait for the final state' })) },
  { additionalProperties: false },
);
const keyHeader = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$' })),
});
const emergencyExit = Type.Object(
  { device: Type.String(), name: Type.String(), zone: Type.String(), command: Type.String() },
  { title: 'EmergencyExit' },
);

const tags = ['commands'];
const config = { right: 'emergency.open' } as const;

export function emergencyRoutes(app: App, { parts }: RouteContext): void {
  const { auth, dispatcher, inventory, alarms, clock, log } = parts;

  const emergencyCommandOf = (scenario: string, has: (command: string) => boolean): string | undefined =>
    Object.entries(scenarioOf(scenario)?.commands ?? {}).find(([name, kind]) => kind.emergency && has(name))?.[0];
  const exits = () =>
    inventory.devices().flatMap(({ id, name, zone, scenario, profile }) => {
      const command = emergencyCommandOf(scenario, (one) => profile.commands?.[one] !== undefined);
      return command === undefined ? [] : [{ device: id, name, zone, command }];
    });

  app.get(
    '/emergency-open',
    { config, schema: { operationId: 'listEmergencyExits', tags, response: { 200: Type.Array(emergencyExit) } } },
    exits,
  );

  app.post(
    '/emergency-open',
    {
      config,
      schema: {
        operationId: 'emergencyOpen',
        tags,
        querystring: waitQuery,
        headers: keyHeader,
        body: input,
        response: { 200: commandView, 202: commandView },
      },
    },
    async (request, reply) => {
      const { device, booth } = request.body;
      const address = addressOf(request);
      if (await isOwnChild(request.raw.socket)) {
        auth.refusals.note('emergency.refused', { device, address }, 'system:http');
        throw new GatehouseError('auth.forbidden', 'The emergency opening is for people, not for a flow');
      }
      const exit = exits().find((one) => one.device === device);
      if (!exit) {
        const open = exits().map((one) => one.device);
        throw new GatehouseError(
          'command.unsupported',
          `${device} has no emergency opening; these have: ${open.join(', ')}`,
        );
      }
      const actor = `booth:${booth ?? address}`;
      const key = request.headers['idempotency-key'] ?? randomUUID();
      const accepted = await dispatcher.emergencyOpen({ device, command: exit.command }, actor, key);
      tell(accepted, exit.zone, actor, { address, ...(request.caller ? { user: request.caller.actor } : {}) });
      const view = await settledWithin(accepted, request.query.wait ?? 0);
      return reply
        .code(finalStates.includes(view.state) ? 200 : 202)
        .header('location', `/api/v1/commands/${view.id}`)
        .send(view);
    },
  );

  /** An alarm that came and is over: it waits for somebody to acknowledge it. It never holds up the opening. */
  function tell({ id, device }: CommandView, zone: string, actor: string, data: object): void {
    const about = { device, scenario: 'gateway', zone, kind: 'emergencyOpen', cause: id, actor };
    alarms
      .raise({ ...about, data: { command: id, ...data } })
      .then(() => alarms.clear(device, about.kind, id, actor))
      .catch((error: unknown) =>
        log.error({ err: error, device }, 'the alarm of an emergency opening is not recorded'),
      );
  }

  async function settledWithin(view: CommandView, ms: number): Promise<CommandView> {
    if (ms === 0 || finalStates.includes(view.state)) return view;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(ms, resolve);
    await Promise.race([dispatcher.settled(view.id), promise]);
    cancel();
    return dispatcher.get(view.id);
  }
}
