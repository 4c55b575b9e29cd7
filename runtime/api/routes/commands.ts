/** Sending commands and asking what became of them. */
import { type Static, Type } from 'typebox';
import type { Clock } from '../../clock.ts';
import { type CommandView, commandView, deviceId } from '../../contracts/api.ts';
import { commandStates, finalStates } from '../../contracts/record.ts';
import { challengeView, commandRequest } from '../../contracts/signed-command.ts';
import { GatehouseError } from '../../errors.ts';
import type { Caller } from '../auth.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';

const byId = Type.Object({ id: Type.String({ maxLength: 64 }) }, { additionalProperties: false });
const waitQuery = Type.Object(
  { wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 25_000, description: 'ms to wait for the final state' })) },
  { additionalProperties: false },
);
const keyHeader = Type.Object({
  'idempotency-key': Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$', description: 'repeat it with the same body' }),
});
const reasonInput = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 64 }), note: Type.Optional(Type.String({ maxLength: 256 })) },
  { additionalProperties: false, title: 'ReasonInput' },
);

const listQuery = Type.Object(
  {
    device: Type.Optional(deviceId),
    state: Type.Optional(Type.Enum(commandStates)),
    from: Type.Optional(Type.Integer({ minimum: 0, description: 'accepted then or later, ms UTC' })),
    to: Type.Optional(Type.Integer({ minimum: 0, description: 'accepted before, ms UTC' })),
    before: Type.Optional(Type.String({ maxLength: 64, description: 'next of the page before' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
    held: Type.Optional(Type.Boolean({ description: 'only those that hold something now' })),
  },
  { additionalProperties: false },
);
const commandPage = Type.Object(
  {
    items: Type.Array(commandView, { description: 'newest first' }),
    next: Type.Optional(Type.String({ description: 'pass as before=; absent: that was all' })),
  },
  { title: 'CommandPage' },
);
const DEFAULT_LIMIT = 100;

/** A reason may be chosen until the end of the longest shift. */
const REASON_MS = 12 * 3_600_000;

export function commandRoutes(app: App, { parts: { dispatcher, signed, clock } }: RouteContext): void {
  app.post(
    '/commands',
    {
      config: { right: 'command.send' },
      schema: {
        operationId: 'sendCommand',
        tags: ['commands'],
        querystring: waitQuery,
        headers: keyHeader,
        body: commandRequest,
        response: { 200: commandView, 202: commandView },
      },
    },
    async (request, reply) => {
      const accepted = await accept(callerOf(request), request.body, request.headers['idempotency-key']);
      const { wait = 0 } = request.query;
      const view = isFinal(accepted) || wait === 0 ? accepted : await settledWithin(accepted.id, wait);
      return reply
        .code(isFinal(view) ? 200 : 202)
        .header('location', `/api/v1/commands/${view.id}`)
        .send(view);
    },
  );

  /** A platform proves each command by its signature, everybody else by the log-in. */
  async function accept({ actor, sender, name }: Caller, body: Static<typeof commandRequest>, key: string) {
    const { signed: proof, ...input } = body;
    if (sender === 'platform') {
      if (proof && proof.id !== key)
        throw new GatehouseError(
          'command.invalid',
          `Idempotency-Key is ${key}, signed.id is ${proof.id}: they are the same`,
        );
      return signed.submit(name, body);
    }
    if (proof) throw new GatehouseError('command.invalid', 'Only a platform signs; leave out the field "signed"');
    return dispatcher.send(input, { actor, sender }, key);
  }

  const settledWithin = (id: string, ms: number): Promise<CommandView> =>
    Promise.race([dispatcher.settled(id), after(clock, ms).then(() => dispatcher.get(id))]);

  app.get(
    '/commands',
    {
      config: { right: 'live.read' },
      schema: {
        operationId: 'listCommands',
        tags: ['commands'],
        querystring: listQuery,
        response: { 200: commandPage },
      },
    },
    ({ query: { held, limit = DEFAULT_LIMIT, ...wanted } }) => {
      if (!held) {
        const items = dispatcher.list({ ...wanted, limit });
        const last = items.length === limit ? items.at(-1) : undefined;
        return { items, ...(last ? { next: last.id } : {}) };
      }
      const holding = dispatcher
        .leases()
        .filter(({ device }) => wanted.device === undefined || wanted.device === device);
      return { items: holding.map(({ command }) => dispatcher.get(command)) };
    },
  );

  app.get(
    '/commands/:id',
    {
      config: { right: 'live.read' },
      schema: { operationId: 'getCommand', tags: ['commands'], params: byId, response: { 200: commandView } },
    },
    (request) => dispatcher.get(request.params.id),
  );

  app.post(
    '/commands/challenges',
    {
      config: { right: 'command.challenge' },
      schema: { operationId: 'challengeCommand', tags: ['commands'], response: { 201: challengeView } },
    },
    (request, reply) => reply.code(201).send(signed.challenge(callerOf(request).name)),
  );

  app.post(
    '/commands/:id/renew',
    {
      config: { right: 'command.renew' },
      schema: { operationId: 'renewCommand', tags: ['commands'], params: byId, response: { 200: commandView } },
    },
    (request) => {
      const { actor, sender } = callerOf(request);
      return dispatcher.renew(request.params.id, { actor, sender });
    },
  );

  app.post(
    '/commands/:id/reason',
    {
      config: { right: 'command.annotate' },
      schema: {
        operationId: 'giveReason',
        tags: ['commands'],
        params: byId,
        body: reasonInput,
        response: { 200: commandView },
      },
    },
    (request) => {
      const { actor, sender } = callerOf(request);
      const { id } = request.params;
      if (clock.now() - dispatcher.get(id).createdAt > REASON_MS) {
        throw new GatehouseError('command.expired', 'A reason is given within the shift');
      }
      return dispatcher.annotate(id, request.body, { actor, sender });
    },
  );
}

const isFinal = ({ state }: CommandView): boolean => finalStates.includes(state);

const after = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));
