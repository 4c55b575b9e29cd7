/**
 * What happens to every request before its route sees it: size of the address, who is calling, how often, may they, and
 * did the request come from our own page (reliability.md section 8, A7).
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../clock.ts';
import { isLoopback } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import type { Auth, Caller } from './auth.ts';
import { createFlowLimits } from './flow-limits.ts';
import { securityHeaders } from './headers.ts';
import { createBuckets, type Limits } from './limits.ts';
import { mayDo, type Right, rights } from './rights.ts';

/** The unix socket has no address; only this machine's users with rights on the file get there. */
const UNIX = 'unix';

export const addressOf = (request: FastifyRequest): string =>
  (request.raw.socket.remoteAddress ?? UNIX).replace(/^::ffff:/, '');

const isHere = (address: string): boolean => address === UNIX || isLoopback(address);

/** Addresses of the site's own networks: loopback, RFC 1918, link-local, unique local. */
const isNearby = (address: string): boolean =>
  isHere(address) ||
  /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address) ||
  /^(f[cd][0-9a-f]{2}|fe[89ab][0-9a-f]):/i.test(address);

export const isTls = (request: FastifyRequest): boolean => request.protocol === 'https';
/** The `__Host-` prefix binds the cookie to this host and TLS; browsers refuse it on plain HTTP. */
export const cookieName = (request: FastifyRequest): string => (isTls(request) ? '__Host-gh_session' : 'gh_session');

const pathOf = (url: string): string => url.split('?', 1)[0] ?? url;
const changes = (method: string): boolean => method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';

export type Gate = (request: FastifyRequest, reply: FastifyReply) => void;

interface GateParts {
  readonly auth: Auth;
  readonly clock: Clock;
  readonly limits: Limits;
  /** A flow asks for more than it may have, and does not stop. */
  readonly onHammer: (flow: string) => void;
}

/** @returns a hook that throws GatehouseError `auth.*` or `http.*` for what may not pass. */
export function createGate({ auth, clock, limits, onHammer }: GateParts): Gate {
  const callers = createBuckets(clock, limits.requestsPerSecond);
  const flows = createFlowLimits(clock, limits, onHammer);
  const strangers = createBuckets(clock, limits.anonymousPerSecond);
  const files = createBuckets(clock, limits.filesPerSecond);

  const count = (request: FastifyRequest, caller: Caller | undefined, address: string) => {
    const { right, file } = request.routeOptions.config;
    // A supervisor on this machine must never be told to come back later.
    if (right === 'health' && isHere(address)) return;
    if (caller?.via === 'flow') {
      try {
        return flows.admit(request, caller.name);
      } catch (error) {
        auth.refusals.note('http.rate.exceeded', { address }, caller.actor);
        throw error;
      }
    }
    const wait = file ? files.take(address) : caller ? callers.take(caller.bucket) : strangers.take(address);
    if (wait === 0) return;
    auth.refusals.note('http.rate.exceeded', { address }, caller?.actor ?? 'system:http');
    throw new GatehouseError('http.rate', 'Too many requests', { detail: { retryAfterMs: wait } });
  };

  const authenticate = (request: FastifyRequest, address: string): Caller | undefined => {
    const { authorization } = request.headers;
    const flow = request.headers['x-gatehouse-flow'];
    try {
      return auth.authenticate({
        authorization,
        cookie: request.cookies[cookieName(request)],
        flow: typeof flow === 'string' ? flow : undefined,
      });
    } catch (error) {
      count(request, undefined, address);
      auth.refusals.note('auth.token.refused', { address }, 'system:http');
      throw error;
    }
  };

  return (request, reply) => {
    void reply.headers(securityHeaders(pathOf(request.url), isTls(request)));
    if (request.url.length > limits.urlBytes) throw new GatehouseError('http.invalid', 'The address is too long');
    const address = addressOf(request);
    const owner = authenticate(request, address);
    count(request, owner, address);
    const approval = request.headers['x-gatehouse-approval'];
    const lent = owner !== undefined && typeof approval === 'string' && changes(request.method);
    const caller = lent ? auth.approved(owner, approval) : owner;
    request.caller = caller;
    if (request.is404) return;
    const { right, proof, quiet } = request.routeOptions.config;
    const refuse = (error: GatehouseError): never => {
      const { method, routeOptions } = request;
      auth.refusals.note('http.refused', { method, route: routeOptions.url, code: error.code }, actorOf(caller));
      throw error;
    };
    if (right === undefined) return refuse(new GatehouseError('auth.forbidden', 'This address is not in service'));
    // Without a log-in a foreign page could send it from a browser in the booth, but not with our header.
    if (caller?.session || right === 'emergency.open') checkOrigin(request, right, refuse);
    if (!allows(right, caller, address)) {
      if (!caller) throw new GatehouseError('auth.missing', 'Log in first');
      refuse(new GatehouseError('auth.forbidden', `${caller.role} may not do this (${right})`));
    }
    // A PIN that was lent proves who approves, not that a password was given just now.
    if (proof && caller?.session && (lent || !caller.session.proven())) {
      throw new GatehouseError('auth.reauth', 'Give your password again: PUT /api/v1/sessions/current');
    }
    if (!quiet) caller?.session?.touch();
  };
}

const actorOf = (caller: Caller | undefined): string => caller?.actor ?? 'system:http';

function allows(right: Right, caller: Caller | undefined, address: string): boolean {
  const who = rights[right];
  if (who === 'anyone') return true;
  if (right === 'emergency.open') return caller?.via !== 'flow' && address !== UNIX && isNearby(address);
  if (who === 'nearby') return caller !== undefined || (right === 'tiles' ? isNearby(address) : isHere(address));
  return caller !== undefined && mayDo(caller.role, right);
}

/** A foreign page can make a browser send our cookie, but neither our header nor our origin. */
function checkOrigin(request: FastifyRequest, right: Right, refuse: (error: GatehouseError) => never): void {
  const { origin, host } = request.headers;
  if (!changes(request.method)) return;
  if (origin !== undefined && hostOf(origin) !== host) {
    refuse(new GatehouseError('auth.origin', `A page of ${origin.slice(0, 100)} may not do this`));
  }
  // Logging in needs no header: whoever can send it has the secret anyway. The editor's page knows nothing of our header,
  // but a browser names the page's origin with every change, and that was compared.
  const exempt = right === 'open' || (origin !== undefined && isEditor(request.url));
  if (!exempt && request.headers['x-gatehouse'] !== '1') {
    refuse(new GatehouseError('auth.origin', 'The header X-Gatehouse: 1 is missing'));
  }
}

const isEditor = (url: string): boolean => url === '/editor' || url.startsWith('/editor/');

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined; // `null` and other opaque origins
  }
}
