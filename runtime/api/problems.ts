/** Every refusal and failure as RFC 9457 problem details; nothing of the inside gets out. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { catalogue, type ErrorCode, GatehouseError } from '../errors.ts';

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** @returns the body of the answer; `detail` fields of the error become extension members. */
function problemOf(error: GatehouseError, instance?: string): Record<string, unknown> {
  return {
    ...error.detail,
    type: `urn:gatehouse:problem:${error.code}`,
    title: catalogue[error.code].title,
    status: error.status,
    code: error.code,
    detail: error.message,
    ...(instance === undefined ? {} : { instance }),
  };
}

const frameworkCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'http.too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'http.unsupported',
  FST_ERR_NOT_FOUND: 'http.not_found',
};

/** Anything thrown while handling a request, as one of our errors. An unknown fault keeps its text for the log only. */
export function asGatehouseError(error: unknown): GatehouseError {
  if (error instanceof GatehouseError) return error;
  const { code, statusCode, message } = error as Partial<FastifyError>;
  const known = code === undefined ? undefined : frameworkCodes[code];
  if (known) return new GatehouseError(known, message ?? '', { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new GatehouseError('http.invalid', message ?? '', { cause: error });
  }
  return new GatehouseError('http.internal', 'The fault is in the log of the gateway under this request', {
    cause: error,
  });
}

export function sendProblem(error: GatehouseError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error.code === 'http.internal') request.log.error({ err: error.cause, request: request.id }, 'a request failed');
  const wait = error.detail?.retryAfterMs;
  if (typeof wait === 'number') void reply.header('retry-after', String(Math.ceil(wait / 1000)));
  if (error.status === 401) void reply.header('www-authenticate', 'Bearer');
  return reply
    .code(error.status)
    .header('content-type', PROBLEM_TYPE)
    .header('cache-control', 'no-store')
    .send(JSON.stringify(problemOf(error, request.id)));
}
