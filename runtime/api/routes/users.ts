/** Accounts of people and tokens of platforms. A shift leader keeps the guards, an administrator everybody. */
import { Type } from 'typebox';
import type { Clock } from '../../clock.ts';
import { type Role, roles } from '../../contracts/contract.ts';
import { GatehouseError } from '../../errors.ts';
import type { Caller } from '../auth.ts';
import { callerOf } from '../caller.ts';
import type { App, RouteContext } from '../parts.ts';
import { type Account, type Token, tokenScopes } from '../users.ts';

const closed = { additionalProperties: false } as const;
const name = Type.String({ maxLength: 32 });
const displayName = Type.String({ minLength: 1, maxLength: 64 });
const password = Type.String({ maxLength: 256 });
const pin = Type.String({ pattern: '^[0-9]{6}$' });

const userInput = Type.Object(
  { name, displayName, role: Type.Enum(roles), password: Type.Optional(password), pin: Type.Optional(pin) },
  { ...closed, title: 'UserInput' },
);
const userChange = Type.Object(
  {
    displayName: Type.Optional(displayName),
    role: Type.Optional(Type.Enum(roles)),
    password: Type.Optional(password),
    pin: Type.Optional(pin),
    disabled: Type.Optional(Type.Boolean()),
    unlock: Type.Optional(Type.Boolean({ description: 'lifts the lock of failed log-ins' })),
  },
  { ...closed, title: 'UserChange' },
);
const userView = Type.Object(
  {
    name: Type.String(),
    displayName: Type.String(),
    role: Type.Enum(roles),
    hasPassword: Type.Boolean(),
    hasPin: Type.Boolean(),
    disabled: Type.Boolean(),
    createdAt: Type.Integer(),
    lockedUntil: Type.Optional(Type.Integer()),
  },
  { title: 'User' },
);
const tokenInput = Type.Object(
  {
    platform: Type.String({ pattern: '^[a-z][a-z0-9-]{1,31}$' }),
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: 365 })),
    scope: Type.Optional(
      Type.Enum(tokenScopes, { description: 'flow: for a Node-RED elsewhere with our nodes; default platform' }),
    ),
  },
  { ...closed, title: 'TokenInput' },
);
const tokenFields = {
  id: Type.String(),
  platform: Type.String(),
  createdAt: Type.Integer(),
  expiresAt: Type.Integer(),
  scope: Type.Enum(tokenScopes),
};
const tokenView = Type.Object(tokenFields, { title: 'Token' });
const tokenMade = Type.Object(
  { ...tokenFields, token: Type.String({ description: 'shown this once' }) },
  { title: 'TokenMade' },
);
const byName = Type.Object({ name }, closed);

const DEFAULT_TOKEN_DAYS = 90;

const viewOf = (account: Account, lockedMs: number, clock: Clock) => ({
  name: account.name,
  displayName: account.displayName,
  role: account.role,
  hasPassword: account.password !== undefined,
  hasPin: account.pin !== undefined,
  disabled: account.disabled,
  createdAt: account.createdAt,
  ...(lockedMs > 0 ? { lockedUntil: clock.now() + lockedMs } : {}),
});

const tokenViewOf = ({ id, platform, createdAt, expiresAt, scope }: Token) => ({
  ...{ id, platform, createdAt, expiresAt, scope },
});

/** @throws GatehouseError `auth.forbidden` when a shift leader reaches beyond the guards */
function mustKeep(caller: Caller, ...touched: (Role | undefined)[]): void {
  if (caller.role !== 'shift-leader' || touched.every((role) => role === undefined || role === 'guard')) return;
  throw new GatehouseError('auth.forbidden', 'A shift leader keeps the accounts of guards only');
}

export function userRoutes(app: App, { parts: { auth, clock } }: RouteContext): void {
  const { accounts } = auth;
  const view = (account: Account) => viewOf(account, accounts.lockedMs(account.name), clock);

  app.get(
    '/users',
    {
      config: { right: 'user.read' },
      schema: { operationId: 'listUsers', tags: ['users'], response: { 200: Type.Array(userView) } },
    },
    (request) => {
      const { role } = callerOf(request);
      return accounts
        .list()
        .filter((account) => role !== 'shift-leader' || account.role === 'guard')
        .map(view);
    },
  );

  app.post(
    '/users',
    {
      config: { right: 'user.write', proof: true },
      schema: { operationId: 'createUser', tags: ['users'], body: userInput, response: { 201: userView } },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      mustKeep(caller, request.body.role);
      return reply.code(201).send(view(await accounts.create(request.body, caller.actor)));
    },
  );

  app.put(
    '/users/:name',
    {
      config: { right: 'user.write', proof: true },
      schema: {
        operationId: 'changeUser',
        tags: ['users'],
        params: byName,
        body: userChange,
        response: { 200: userView },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      mustKeep(caller, accounts.get(request.params.name)?.role ?? 'guard', request.body.role);
      return view(await accounts.change(request.params.name, request.body, caller.actor));
    },
  );

  app.delete(
    '/users/:name',
    {
      config: { right: 'user.write', proof: true },
      schema: { operationId: 'removeUser', tags: ['users'], params: byName, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      mustKeep(caller, accounts.get(request.params.name)?.role ?? 'guard');
      await accounts.remove(request.params.name, caller.actor);
      return reply.code(204).send();
    },
  );

  app.get(
    '/tokens',
    {
      config: { right: 'token.write' },
      schema: { operationId: 'listTokens', tags: ['users'], response: { 200: Type.Array(tokenView) } },
    },
    () => accounts.tokens().map(tokenViewOf),
  );

  app.post(
    '/tokens',
    {
      config: { right: 'token.write', proof: true },
      schema: { operationId: 'createToken', tags: ['users'], body: tokenInput, response: { 201: tokenMade } },
    },
    async (request, reply) => {
      const { platform, scope = 'platform', days = DEFAULT_TOKEN_DAYS } = request.body;
      const made = await accounts.createToken({ platform, days, scope }, callerOf(request).actor);
      return reply.code(201).send({ ...tokenViewOf(made.token), token: made.secret });
    },
  );

  app.delete(
    '/tokens/:id',
    {
      config: { right: 'token.write', proof: true },
      schema: {
        operationId: 'removeToken',
        tags: ['users'],
        params: Type.Object({ id: Type.String({ maxLength: 32 }) }, closed),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await accounts.dropToken(request.params.id, callerOf(request).actor);
      return reply.code(204).send();
    },
  );
}
