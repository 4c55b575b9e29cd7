/** Requests to the gateway's API, over its Unix socket or TLS, with the flow actor's token. One connection pool per process. */
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalConnection, RemoteConnection } from './connection.ts';
import { failureOf, NodeFailure } from './failures.ts';

const BASE = '/api/v1';
const FLOW_ID = /^[\w.-]{1,64}$/;
const ANSWER_WITHIN_MS = 15_000;
/** A restarting core is back within ten seconds; what moves something is not tried longer than a driver waits. */
const RETRY_EVERY_MS = 250;

export interface Call {
  readonly method?: 'GET' | 'POST';
  readonly body?: object;
  /** Idempotency-Key: with it, and for reads, the request is repeated while the gateway cannot be reached. */
  readonly key?: string;
  /** Flow that acts: becomes the actor `flow:<id>`. */
  readonly flow?: string;
  /** Node that acts, for the list of a replay. */
  readonly node?: string;
  /** How long to go on trying to reach the gateway. */
  readonly retryMs?: number;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Could not be reached, or hung up before it answered: the request may or may not have been seen. */
class Unreachable extends Error {}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) text += chunk;
  return text;
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined; // judged by the status alone
  }
}

export interface ApiClient {
  /** @throws NodeFailure with the code that the gateway's problem means, GH_OFFLINE if it cannot be reached */
  call(path: string, call?: Call): Promise<Answer>;
  /** Opens a stream; resolves with the response once its head is there. @throws as `call` */
  open(path: string, signal: AbortSignal): Promise<IncomingMessage>;
}

type Where = Pick<LocalConnection, 'socket' | 'token'> | Pick<RemoteConnection, 'url' | 'ca' | 'token'>;

/** A command holds its connection until it ends; a question behind many of them must not wait. */
const POOL = { keepAlive: true, maxSockets: 64 };

/** How a request gets there. The certificate of a remote gateway is always checked, against `ca` where one is given. */
function routeTo(where: Where): { request: typeof httpRequest; options: RequestOptions; agent: Agent } {
  if ('socket' in where) {
    return { request: httpRequest, options: { socketPath: where.socket }, agent: new Agent(POOL) };
  }
  const { protocol, hostname, port } = where.url;
  const options = { hostname: hostname.replace(/^\[|\]$/g, ''), ...(port === '' ? {} : { port }) };
  if (protocol === 'http:') return { request: httpRequest, options, agent: new Agent(POOL) };
  const trust = where.ca === undefined ? {} : { ca: where.ca };
  return { request: httpsRequest, options: { ...options, ...trust }, agent: new HttpsAgent({ ...POOL, ...trust }) };
}

export function createApiClient(where: Where): ApiClient {
  const { token } = where;
  const route = routeTo(where);
  const headersOf = ({ body, key, flow, node }: Call): Record<string, string> => ({
    authorization: `Bearer ${token}`,
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...(flow === undefined || !FLOW_ID.test(flow) ? {} : { 'x-gatehouse-flow': flow }),
    ...(node === undefined || !FLOW_ID.test(node) ? {} : { 'x-gatehouse-node': node }),
  });

  function send(
    path: string,
    call: Call,
    timeoutMs: number | undefined,
    pool: Agent | false,
  ): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const text = call.body === undefined ? undefined : JSON.stringify(call.body);
    const request = route.request({
      ...route.options,
      path: `${BASE}${path}`,
      method: call.method ?? 'GET',
      headers: headersOf(call),
      agent: pool,
      ...(call.signal ? { signal: call.signal } : {}),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    });
    request.once('response', resolve);
    request.once('timeout', () => request.destroy(new NodeFailure('GH_TIMEOUT', 'noAnswer')));
    request.on('error', (error) => {
      reject(error instanceof NodeFailure || call.signal?.aborted ? error : new Unreachable(error.message));
    });
    request.end(text);
    return promise;
  }

  async function once(path: string, call: Call): Promise<Answer> {
    const response = await send(path, call, ANSWER_WITHIN_MS, route.agent);
    const text = await textOf(response).catch((error: unknown) => {
      throw new Unreachable(String(error));
    });
    return { status: response.statusCode ?? 0, body: parse(text) };
  }

  function checked(answer: Answer): Answer {
    if (answer.status < 400) return answer;
    const { code, detail } = (answer.body ?? {}) as { code?: string; detail?: string };
    throw new NodeFailure(failureOf(code, answer.status), 'answer', {
      detail: detail ?? String(answer.status),
      code: code ?? '',
    });
  }

  return {
    async call(path, call = {}) {
      const until = performance.now() + (call.retryMs ?? 0);
      for (;;) {
        try {
          const answer = await once(path, call);
          // 429 and 503 pass by themselves, and neither has done anything yet.
          const busy = answer.status === 429 || answer.status === 503;
          if (!busy || performance.now() > until) return checked(answer);
        } catch (error) {
          if (!(error instanceof Unreachable)) throw error;
          if (performance.now() > until) throw new NodeFailure('GH_OFFLINE', 'noGateway', { detail: error.message });
        }
        await sleep(RETRY_EVERY_MS, undefined, call.signal ? { signal: call.signal } : {});
      }
    },
    async open(path, signal) {
      const response = await send(path, { signal }, undefined, false).catch((error: unknown) => {
        throw error instanceof Unreachable
          ? new NodeFailure('GH_OFFLINE', 'noGateway', { detail: error.message })
          : error;
      });
      const status = response.statusCode ?? 0;
      if (status !== 200) checked({ status, body: parse(await textOf(response)) });
      return response;
    },
  };
}
