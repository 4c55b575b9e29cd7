/**
 * The editor behind the gateway's own log-in: every request and the websocket pass the gate of the API, are let through in
 * maintenance mode only, lose their cookies and get a pass of one minute that the flow process checks again (N8).
 */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { connect } from 'node:net';
import proxy, { type FastifyHttpProxyOptions } from '@fastify/http-proxy';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  FastifyTypeProvider,
  RawServerDefault,
} from 'fastify';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import { EDITOR_HEADER } from './editor-token.ts';
import { EDITOR_ROOT } from './settings.ts';
import type { Flows } from './supervisor.ts';

export interface EditorOptions {
  /** Asked at each request: the flow process starts after the API. */
  readonly flows: () => Pick<Flows, 'state' | 'editorUpstream' | 'editorToken'> | undefined;
  readonly history: {
    deploying(): Promise<(by: { readonly actor: string; readonly note: string }) => Promise<void>>;
  };
  readonly journal: { append(draft: Draft): Promise<unknown> };
}

/** What changes the flows: a version of the deploy history. */
const deploys: readonly (readonly [method: string, path: RegExp])[] = [
  ['POST', /^\/flows$/],
  ['POST', /^\/flow$/],
  ['PUT', /^\/flow\//],
  ['DELETE', /^\/flow\//],
];
const INJECT = /^\/inject\//;
/** Why somebody deploys; percent-encoded, as a header holds no Chinese. Set by our page in the editor. */
const NOTE_HEADER = 'x-gatehouse-note';
const LONGEST_NOTE = 256;

function noteOf({ [NOTE_HEADER]: given }: IncomingHttpHeaders): string {
  try {
    return typeof given === 'string' ? decodeURIComponent(given).trim().slice(0, LONGEST_NOTE) : '';
  } catch {
    return ''; // not made by our page
  }
}

/** Of the editor's websocket, either way: status, debug output cut to 1000 characters, subscriptions. */
const LONGEST_MESSAGE = 1024 * 1024;

const pathOf = (request: FastifyRequest): string => (request.url.split('?', 1)[0] ?? '').slice(EDITOR_ROOT.length);

/** A page of another origin can open a websocket with our cookie; browsers say where the page comes from. */
function checkOrigin(request: FastifyRequest): void {
  const { origin, host, upgrade } = request.headers;
  if (upgrade === undefined && request.method === 'GET') return;
  if (origin === undefined) return; // not a browser: it has the cookie because it logged in
  if (!URL.canParse(origin) || new URL(origin).host !== host) {
    throw new GatehouseError('auth.origin', `A page of ${origin.slice(0, 100)} may not use the editor`);
  }
}

/** Whoever has passed the gate; it lets installers and administrators through. */
const userOf = (request: FastifyRequest): { name: string; actor: string } => {
  const { caller } = request as { caller?: { name: string; actor: string } | undefined };
  if (!caller) throw new GatehouseError('auth.missing', 'Log in first');
  return caller;
};

/** Mounts the editor at /editor, websocket included. Every route asks the gate for the right `maintenance.write`. */
export async function registerEditor<Provider extends FastifyTypeProvider>(
  app: FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, Provider>,
  { flows, history, journal }: EditorOptions,
): Promise<void> {
  const upstream = () => {
    const running = flows();
    if (running?.state().editorUntil === undefined) {
      throw new GatehouseError('flows.editor_closed', 'Start maintenance mode first');
    }
    return running;
  };
  const dial = () => connect(flows()?.editorUpstream ?? '');
  const agent = Object.assign(new Agent(), { createConnection: dial });

  /** Cookies stay here; the header is set by us alone, whatever the browser sent. */
  const headersFor = (request: FastifyRequest, headers: IncomingHttpHeaders): IncomingHttpHeaders => {
    const { cookie: _cookie, authorization: _authorization, [EDITOR_HEADER]: _forged, ...rest } = headers;
    return { ...rest, [EDITOR_HEADER]: upstream().editorToken(userOf(request).name, '*') };
  };

  // The proxy knows this option, its types do not.
  const wsClientOptions = {
    createConnection: dial,
    maxPayload: LONGEST_MESSAGE,
    rewriteRequestHeaders: (headers: IncomingHttpHeaders, request: FastifyRequest) => headersFor(request, headers),
  } as NonNullable<FastifyHttpProxyOptions['wsClientOptions']>;

  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers(); // bodies pass through as they are
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, right: 'maintenance.write', file: true };
      route.schema = { ...route.schema, hide: true };
    });
    scope.setErrorHandler((error, request, reply) => {
      // Somebody who typed the address sees the log-in or the maintenance switch instead of a problem in JSON.
      const typed = request.method === 'GET' && request.headers.accept?.includes('text/html');
      if (typed && error instanceof GatehouseError && (error.status === 401 || error.status === 403)) {
        return reply.redirect('/');
      }
      throw error;
    });
    /** Deploys on their way; each is in the history before it is answered, or when it got no answer. */
    const underway = new WeakMap<FastifyRequest, () => Promise<void>>();
    const settle = async (request: FastifyRequest) => {
      const finish = underway.get(request);
      underway.delete(request);
      await finish?.();
    };
    scope.addHook('onSend', settle);
    scope.addHook('onResponse', async (request, reply) => {
      await settle(request);
      const path = pathOf(request);
      if (request.method !== 'POST' || !INJECT.test(path) || reply.statusCode >= 400) return;
      await journal.append({
        lane: 'L0',
        kind: 'audit',
        scenario: 'gateway',
        device: 'flows',
        name: 'flows.node.injected',
        data: { path },
        actor: userOf(request).actor,
      });
    });
    const options: Parameters<typeof proxy>[1] = {
      upstream: 'http://editor',
      prefix: EDITOR_ROOT,
      rewritePrefix: EDITOR_ROOT,
      http: { agents: { 'http:': agent, 'https:': new HttpsAgent() } },
      websocket: true,
      preHandler: async (request: FastifyRequest) => {
        upstream();
        checkOrigin(request);
        const path = pathOf(request);
        if (!deploys.some(([method, pattern]) => method === request.method && pattern.test(path))) return;
        const finish = await history.deploying();
        underway.set(request, () => finish({ actor: userOf(request).actor, note: noteOf(request.headers) }));
      },
      replyOptions: {
        rewriteRequestHeaders: (request, headers) => headersFor(request as FastifyRequest, headers),
        onError: (reply, { error }) => {
          reply.send(new GatehouseError('flows.off', error.message, { cause: error }));
        },
      },
      wsClientOptions,
      wsServerOptions: { maxPayload: LONGEST_MESSAGE },
    };
    await scope.register(proxy, options);
  });
}
