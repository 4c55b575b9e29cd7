/** Logging in and out. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { login, session } from '../../contracts/api.ts';
import { roles } from '../../contracts/contract.ts';
import { callerOf } from '../caller.ts';
import { addressOf, cookieName, isTls } from '../gate.ts';
import type { App, RouteContext } from '../parts.ts';

const tile = Type.Object(
  { name: Type.String(), displayName: Type.String(), role: Type.Enum(roles) },
  { title: 'Tile' },
);
const proof = Type.Object(
  { password: login.properties.password, pin: login.properties.pin },
  { additionalProperties: false, title: 'Proof' },
);

const approver = Type.Object(
  { name: login.properties.name, pin: Type.String({ pattern: '^[0-9]{6}$' }) },
  { additionalProperties: false, title: 'Approver' },
);
const approval = Type.Object(
  {
    approval: Type.String({ description: 'send it as X-Gatehouse-Approval with the change it is for' }),
    expiresAt: Type.Integer(),
  },
  { title: 'Approval' },
);

/** Longest life of the cookie; the session itself may end sooner. */
const COOKIE_SECONDS = 12 * 3600;

export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, secret: string): void {
  void reply.setCookie(cookieName(request), secret, {
    path: '/',
    httpOnly: true,
    sameSite: 'strict',
    secure: isTls(request),
    maxAge: COOKIE_SECONDS,
  });
}

export function sessionRoutes(app: App, { parts: { auth } }: RouteContext): void {
  app.get(
    '/sessions/people',
    {
      config: { right: 'tiles' },
      schema: { operationId: 'listTiles', tags: ['sessions'], response: { 200: Type.Array(tile) } },
    },
    () => auth.tiles(),
  );

  app.post(
    '/sessions',
    {
      config: { right: 'open' },
      schema: { operationId: 'logIn', tags: ['sessions'], body: login, response: { 201: session } },
    },
    async (request, reply) => {
      const opened = await auth.login(request.body, addressOf(request));
      setSessionCookie(request, reply, opened.secret);
      return reply.code(201).send(opened.session);
    },
  );

  app.get(
    '/sessions/current',
    {
      config: { right: 'self', quiet: true },
      schema: { operationId: 'getSession', tags: ['sessions'], response: { 200: session } },
    },
    (request) => auth.sessionOf(callerOf(request)),
  );

  app.put(
    '/sessions/current',
    {
      config: { right: 'self' },
      schema: { operationId: 'confirmSession', tags: ['sessions'], body: proof, response: { 200: session } },
    },
    (request) => auth.confirm(callerOf(request), request.body, addressOf(request)),
  );

  app.post(
    '/sessions/approvals',
    {
      config: { right: 'approval.ask' },
      schema: { operationId: 'approve', tags: ['sessions'], body: approver, response: { 201: approval } },
    },
    async (request, reply) =>
      reply.code(201).send(await auth.approve(callerOf(request), request.body, addressOf(request))),
  );

  app.delete(
    '/sessions/current',
    {
      config: { right: 'self' },
      schema: { operationId: 'logOut', tags: ['sessions'], response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await auth.logout(callerOf(request));
      void reply.clearCookie(cookieName(request), {
        path: '/',
        httpOnly: true,
        sameSite: 'strict',
        secure: isTls(request),
      });
      return reply.code(204).send();
    },
  );
}
