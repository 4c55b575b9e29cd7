/** The HTTP API as a whole: one Fastify app behind the gate, on TCP (TLS off loopback) and on the unix socket. */
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import cookie from '@fastify/cookie';
import Fastify, { type FastifyInstance } from 'fastify';
import { isLoopback } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { REFUSED_AFTER_MS } from './flow-limits.ts';
import { createGate } from './gate.ts';
import { defaultLimits, type Limits, parseJson } from './limits.ts';
import { boundConnections, closeServer, httpServer, listenOn, listenOnSocket, socketPathFor } from './listeners.ts';
import { createMetrics } from './metrics.ts';
import type { App, Parts, RouteContext } from './parts.ts';
import { asGatehouseError, sendProblem } from './problems.ts';
import { accessRoutes } from './routes/access.ts';
import { alarmRoutes } from './routes/alarms.ts';
import { backupRoutes } from './routes/backups.ts';
import { calendarRoutes } from './routes/calendar.ts';
import { commandRoutes } from './routes/commands.ts';
import { demoRoutes } from './routes/demo.ts';
import { deviceRoutes } from './routes/devices.ts';
import { describeRoutes, docsRoutes } from './routes/docs.ts';
import { noticeRoutes, workOrderRoutes } from './routes/duty.ts';
import { emergencyRoutes } from './routes/emergency.ts';
import { eventRoutes } from './routes/events.ts';
import { evidenceRoutes } from './routes/evidence.ts';
import { flowRoutes } from './routes/flows.ts';
import { inventoryRoutes } from './routes/inventory.ts';
import { linkageRoutes } from './routes/linkages.ts';
import { maintenanceRoutes } from './routes/maintenance.ts';
import { pageRoutes } from './routes/pages.ts';
import { platformKeyRoutes } from './routes/platform-keys.ts';
import { recordRoutes } from './routes/records.ts';
import { replayRoutes } from './routes/replays.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { setupRoutes } from './routes/setup.ts';
import { healthRoutes, statusRoutes } from './routes/status.ts';
import { storageRoutes } from './routes/storage.ts';
import { streamRoutes } from './routes/stream.ts';
import { uplinkRoutes } from './routes/uplinks.ts';
import { userRoutes } from './routes/users.ts';
import { createStreams } from './streams.ts';
import { type KeyPair, keyPair } from './tls.ts';
import { serializerCompiler, type TypeBoxProvider, validatorCompiler } from './validation.ts';

const API_BASE = '/api/v1';

export interface Api {
  /** Opens TCP and the unix socket. @throws GatehouseError `http.port_taken`, `http.listen` */
  listen(): Promise<{ readonly scheme: 'http' | 'https'; readonly host: string; readonly port: number }>;
  /** Ends streams, lets requests finish, closes everything within ten seconds. */
  close(): Promise<void>;
  /** Where the flow process and the health check reach the same API. */
  readonly socketPath: string;
  /** For tests: a request without a socket. */
  readonly inject: FastifyInstance['inject'];
}

/** Key and certificate for a listener there, from `<data>/tls`; undefined on loopback, where TLS adds nothing. */
export const tlsFor = async (
  host: string,
  { config, clock, log }: Pick<Parts, 'config' | 'clock' | 'log'>,
): Promise<KeyPair | undefined> =>
  isLoopback(host) ? undefined : keyPair(join(config.dataDir, 'tls'), host, { clock, log });

export async function createServer(parts: Parts): Promise<Api> {
  const limits: Limits = { ...defaultLimits, ...parts.limits };
  const app = await createApp(parts, limits);
  const pair = await tlsFor(parts.config.http.host, parts);
  const traffic = {
    onRequest: app.routing,
    // The editor's proxy listens for upgrades on the app's own server, which never listens itself.
    onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
      if (!app.server.emit('upgrade', request, socket, head)) socket.destroy();
    },
  };
  const tcp = httpServer(traffic, limits, pair);
  const local = httpServer(traffic, limits);
  for (const server of [tcp, local]) boundConnections(server, limits);
  const socketPath = socketPathFor(parts.config.dataDir);
  return {
    socketPath,
    inject: app.inject.bind(app),
    async listen() {
      const { host } = parts.config.http;
      const port = await listenOn(tcp, parts.config.http, 'GATEHOUSE_HTTP');
      await listenOnSocket(local, socketPath);
      return { scheme: pair ? 'https' : 'http', host, port };
    },
    async close() {
      const wasLocal = local.listening;
      app.endStreams();
      // Closing the app meanwhile is what ends the editor's websockets.
      await Promise.all([
        ...[tcp, local].map((server) => closeServer(server, limits.closeGraceMs, [server])),
        app.close(),
      ]);
      if (!wasLocal) return;
      const folder = dirname(socketPath);
      await rm(folder === parts.config.dataDir ? socketPath : folder, { recursive: true, force: true });
    },
  };
}

async function createApp(parts: Parts, limits: Limits) {
  const app: App = Fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    routerOptions: { maxParamLength: 200 },
    forceCloseConnections: true,
    // Addresses that are none never reach the hooks or the error handler below.
    frameworkErrors: (error, request, reply) => void sendProblem(asGatehouseError(error), request, reply),
  }).withTypeProvider<TypeBoxProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler(parts.checkAnswers ?? false));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/json', 'application/*+json'],
    { parseAs: 'string' },
    (_request, body, done) => {
      try {
        done(null, body === '' ? undefined : parseJson(String(body), limits));
      } catch (error) {
        done(error as GatehouseError);
      }
    },
  );
  app.setErrorHandler((error, request, reply) => {
    const told = asGatehouseError(error);
    if (told.code === 'http.too_large') {
      const facts = { method: request.method, route: request.routeOptions.url, code: told.code };
      parts.auth.refusals.note('http.limit.exceeded', facts, request.caller?.actor ?? 'system:http');
    }
    if (told.code === 'http.internal') parts.log.error({ err: error, request: request.id }, 'a request failed');
    return sendProblem(told, request, reply);
  });
  app.setNotFoundHandler((request) => {
    throw new GatehouseError('http.not_found', `Nothing at ${request.url.split('?', 1)[0]}`);
  });

  await app.register(cookie);
  app.decorateRequest('caller', undefined);
  const onHammer = (flow: string) => parts.flows?.()?.accuse(flow);
  const gate = createGate({ auth: parts.auth, clock: parts.clock, limits, onHammer });
  app.addHook('onRequest', (request, reply, done) => {
    try {
      gate(request, reply);
      done();
    } catch (error) {
      // A loop that is answered at once asks at once again.
      if (request.caller?.via === 'flow' && error instanceof GatehouseError && error.code === 'http.rate')
        parts.clock.after(REFUSED_AFTER_MS, () => done(error));
      else throw error;
    }
  });

  const context: RouteContext = { parts, limits };
  const streams = createStreams(context);
  const metrics = createMetrics(parts, streams);
  await describeRoutes(app, context);
  healthRoutes(app, context, metrics);
  await app.register(
    (api: App, _options, done) => {
      api.addHook('onSend', (_request, reply, _payload, next) => {
        if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store');
        next();
      });
      sessionRoutes(api, context);
      userRoutes(api, context);
      setupRoutes(api, context);
      statusRoutes(api, context);
      deviceRoutes(api, context);
      inventoryRoutes(api, context);
      accessRoutes(api, context);
      commandRoutes(api, context);
      emergencyRoutes(api, context);
      alarmRoutes(api, context);
      linkageRoutes(api, context);
      noticeRoutes(api, context);
      workOrderRoutes(api, context);
      calendarRoutes(api, context);
      recordRoutes(api, context);
      storageRoutes(api, context);
      streamRoutes(api, context, streams);
      eventRoutes(api, context);
      evidenceRoutes(api, context);
      uplinkRoutes(api, context);
      platformKeyRoutes(api, context);
      maintenanceRoutes(api, context);
      replayRoutes(api, context);
      flowRoutes(api, context);
      backupRoutes(api, context);
      demoRoutes(api, context);
      done();
    },
    { prefix: API_BASE },
  );
  await docsRoutes(app, context);
  await pageRoutes(app, context);
  if (parts.editor) await parts.editor(app);
  app.addHook('onClose', () => metrics.close());
  await app.ready();
  return Object.assign(app, { endStreams: () => streams.close() });
}
