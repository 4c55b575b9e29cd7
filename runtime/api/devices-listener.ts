/**
 * Where devices push: a listener of its own, so that a camera never shares a limit or a network with people. The answer
 * goes back only after everything in the message is committed (reliability.md R1).
 */
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { GatehouseError } from '../errors.ts';
import { addressOf, isTls } from './gate.ts';
import { createBuckets, defaultLimits, type Limits } from './limits.ts';
import { boundConnections, closeServer, httpServer, listenOn } from './listeners.ts';
import type { Parts } from './parts.ts';
import { asGatehouseError, sendProblem } from './problems.ts';
import type { KeyPair } from './tls.ts';

export interface DeviceListener {
  /** @returns the port really bound. @throws GatehouseError `http.port_taken`, `http.listen` */
  listen(): Promise<number>;
  close(): Promise<void>;
}

type DeviceParts = Pick<Parts, 'config' | 'clock' | 'log' | 'auth' | 'inventory' | 'host' | 'limits'>;

const FIRST_BYTE_MS = 10_000;
/** The first byte of a TLS connection: a handshake record. */
const TLS_HANDSHAKE = 0x16;

/** @param pair off loopback: TLS, and plain HTTP only as far as the site allows it. */
export function createDeviceListener(parts: DeviceParts, pair: KeyPair | undefined): DeviceListener {
  const limits: Limits = { ...defaultLimits, ...parts.limits };
  const app = Fastify({ logger: false, bodyLimit: limits.pictureBytes, routerOptions: { maxParamLength: 100 } });
  const buckets = createBuckets(parts.clock, limits.pushesPerSecond);
  const strangers = createBuckets(parts.clock, limits.anonymousPerSecond);

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => void sendProblem(asGatehouseError(error), request, reply));
  app.setNotFoundHandler((request, reply) => {
    slowDown(strangers, addressOf(request));
    throw new GatehouseError('http.not_found', 'Devices push to /push/<device>', {
      detail: { path: reply.request.url },
    });
  });

  app.post<{ Params: { device: string }; Querystring: { key?: string | string[] } }>('/push/:device', {
    // Before the body is read: a stranger's two megabytes cost nothing.
    onRequest: (request, _reply, done) => {
      admit(request);
      done();
    },
    handler: (request, reply) => push(request, reply),
  });

  function admit(request: FastifyRequest<{ Params: { device: string }; Querystring: { key?: string | string[] } }>) {
    const { device } = request.params;
    const address = addressOf(request);
    if (request.url.length > limits.urlBytes) throw new GatehouseError('http.invalid', 'The address is too long');
    if (!parts.inventory.checkSecret(device, keyOf(request))) {
      slowDown(strangers, address);
      const known = parts.inventory.device(device) !== undefined;
      const facts = { address, known };
      parts.auth.refusals.note('device.push.refused', known ? { ...facts, device } : facts, 'system:http');
      if (!known) throw new GatehouseError('device.not_found', 'No such device');
      throw new GatehouseError('push.key', `The key of ${device} is wrong`);
    }
    if (pair && !isTls(request) && !parts.inventory.site().network?.plainDevices) {
      parts.auth.refusals.note('device.push.refused', { address, device, plain: true }, `device:${device}`);
      throw new GatehouseError('push.tls', `${device} pushed over plain HTTP, which this site does not allow`);
    }
    slowDown(buckets, device);
  }

  function slowDown(bucket: typeof buckets, key: string): void {
    const wait = bucket.take(key);
    if (wait > 0) throw new GatehouseError('http.rate', 'Too many messages', { detail: { retryAfterMs: wait } });
  }

  async function push(
    request: FastifyRequest<{ Params: { device: string } }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { device } = request.params;
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const contentType = request.headers['content-type'];
    try {
      const answer = await parts.host.pushed(device, {
        body,
        ...(contentType === undefined ? {} : { contentType }),
      });
      return answer ? reply.header('content-type', answer.contentType).send(answer.body) : reply.code(204).send();
    } catch (error) {
      const refusal = isUnreadable(error) ? parts.host.refusal(device) : undefined;
      if (!refusal) throw error;
      // The camera's own words for "no", in the form it understands.
      return reply.code(400).header('content-type', refusal.contentType).send(refusal.body);
    }
  }

  const server = httpServer({ onRequest: app.routing }, limits);
  const secure = pair && httpServer({ onRequest: app.routing }, limits, pair);
  const front: NetServer = secure ? eitherOf(server, secure) : server;
  boundConnections(front, limits);

  return {
    async listen() {
      await app.ready();
      return listenOn(front, parts.config.devices, 'GATEHOUSE_DEVICES');
    },
    async close() {
      await closeServer(front, limits.closeGraceMs, secure ? [server, secure] : [server]);
      await app.close();
    },
  };
}

const isUnreadable = (error: unknown): boolean =>
  error instanceof GatehouseError && (error.code === 'push.unreadable' || error.code === 'driver.frame');

/** `?key=` or the password of Basic authentication, which is all that some cameras can send. */
function keyOf(request: FastifyRequest<{ Querystring: { key?: string | string[] } }>): string {
  const { key } = request.query;
  if (typeof key === 'string') return key;
  const basic = /^Basic ([\w+/=]{1,512})$/.exec(request.headers.authorization ?? '')?.[1];
  const decoded = basic === undefined ? '' : Buffer.from(basic, 'base64').toString('utf8');
  return decoded.slice(decoded.indexOf(':') + 1);
}

/** One port for TLS and plain HTTP: the first byte tells which. */
function eitherOf(plain: ReturnType<typeof httpServer>, secure: ReturnType<typeof httpServer>): NetServer {
  return createServer({ noDelay: true }, (socket: Socket) => {
    const silent = setTimeout(() => socket.destroy(), FIRST_BYTE_MS);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => clearTimeout(silent));
    socket.once('readable', () => {
      clearTimeout(silent);
      const first: Buffer | null = socket.read(1);
      if (!first) return;
      socket.unshift(first);
      (first[0] === TLS_HANDSHAKE ? secure : plain).emit('connection', socket);
    });
  });
}
