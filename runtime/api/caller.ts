/** The caller of a request behind the gate. */
import type { FastifyRequest } from 'fastify';
import { GatehouseError } from '../errors.ts';
import type { Caller } from './auth.ts';

/** @throws GatehouseError `auth.missing` where the route lets nobody-in-particular through */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new GatehouseError('auth.missing', 'Log in first');
  return request.caller;
}
