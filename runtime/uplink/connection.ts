/**
 * One connection to one MQTT server, from dialling to its end. mqtt.js is the transport only: its store stays empty, it
 * never reconnects, and what was not acknowledged is the caller's to send again (reliability.md U1, U2, U4).
 */
import { connect as dialTcp, isIP, type Socket } from 'node:net';
import { connect as dialTls } from 'node:tls';
import mqtt from 'mqtt';
import { createFrameMeter } from '../broker/frames.ts';
import { type Clock, every } from '../clock.ts';
import type { Ending } from './retry.ts';
import type { Credentials, Server } from './topics.ts';

export type MqttVersion = 4 | 5;

export interface Connection {
  readonly version: MqttVersion;
  /** Unacknowledged publishes the server allows at once. */
  readonly receiveMaximum: number;
  /** Bytes of a packet the server takes. */
  readonly packetBytes: number;
  /** With QoS 1. Resolves on its PUBACK; rejects when the connection ended before. */
  publish(topic: string, payload: string | Buffer, options?: { retain?: boolean; contentType?: string }): Promise<void>;
  /**
   * With QoS 0: on a clean session QoS 1 promises nothing more, and costs a cluster a stored consumer a topic, to be made and
   * removed with every connection. With a thousand gateways that keeps a NATS cluster from ever recovering.
   * Resolves with the filters the server refused.
   */
  subscribe(filters: readonly string[]): Promise<string[]>;
  /** Says goodbye, so that the will is not published. */
  end(): Promise<void>;
  readonly ended: Promise<Ending>;
}

export interface ConnectOptions {
  readonly server: Server;
  readonly version: MqttVersion;
  readonly clientId: string;
  readonly credentials?: Credentials;
  /** PEM of the authority that signed the server's certificate; default: those of the system. */
  readonly ca?: string;
  readonly will: { readonly topic: string; readonly payload: string };
  readonly keepaliveSeconds: number;
  readonly connectMs: number;
  readonly pubackMs: number;
  readonly clock: Clock;
  /** Gives up an attempt; a connection that stands is ended by `end`. */
  readonly signal: AbortSignal;
  onMessage(topic: string, payload: Buffer, retained: boolean): void;
}

const TCP_KEEPALIVE_MS = 10_000;
const END_MS = 2000;
/** Nothing that comes down is larger than this, whatever version; more is an attack on our memory. */
const INBOUND_BYTES = 1 << 20;
/** What we announce where the protocol lets us. */
const INBOUND_PACKET = 65_536;
const DEFAULT_RECEIVE_MAXIMUM = 65_535;
const MAX_PACKET = 268_435_455;

/** CONNACK, PUBACK and DISCONNECT codes (MQTT 3.1.1 table 3.1, MQTT 5 section 2.4) that will be the same next time. */
const REFUSING = new Set([2, 4, 5, 0x85, 0x86, 0x87, 0x8a, 0x8c, 0x90, 0x95, 0x96, 0x97, 0x99, 0x9a, 0x9b, 0x9d, 0x9f]);
const VERSION_REFUSED = new Set([1, 0x84]);
const TAKEN_OVER = 0x8e;

/** Never rejects: an attempt that fails has an ending too. */
export async function connect(options: ConnectOptions): Promise<Connection | Ending> {
  const { clock, server, version } = options;
  const socket = dial(server, options.ca);
  let fault: string | undefined;
  let closedByServer = false;
  const meter = createFrameMeter((_type, size) => (size > INBOUND_BYTES ? `packet of ${size} bytes` : undefined));
  socket.on('data', (chunk: Buffer) => {
    const walked = meter.feed(chunk);
    if (!('fault' in walked)) return;
    fault = `the server sent a ${walked.fault}`;
    socket.destroy();
  });
  socket.on('end', () => {
    closedByServer = true;
  });
  socket.on('error', (error) => {
    fault ??= error.message;
  });
  const client = new mqtt.MqttClient(() => socket, {
    protocolVersion: version,
    clientId: options.clientId,
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    connectTimeout: options.connectMs,
    keepalive: options.keepaliveSeconds,
    ...(options.credentials ?? {}),
    will: { ...options.will, payload: Buffer.from(options.will.payload), qos: 1, retain: true },
    ...(version === 5 ? { properties: { sessionExpiryInterval: 0, maximumPacketSize: INBOUND_PACKET } } : {}),
  });

  let connectedAt: number | undefined;
  const { promise: ended, resolve: settle } = Promise.withResolvers<Ending>();
  let over = false;
  const finish = (kind: Ending['kind'], reason: string, how: Pick<Ending, 'silent' | 'unanswered'> = {}) => {
    if (over) return;
    over = true;
    stopWatch();
    options.signal.removeEventListener('abort', onAbort);
    client.end(true); // fails what is unacknowledged and frees the socket
    settle({ kind, reason, ...how, stoodMs: connectedAt === undefined ? 0 : clock.mono() - connectedAt });
  };
  const onAbort = () => {
    if (connectedAt === undefined) finish('lost', 'ended by the gateway');
  };
  options.signal.addEventListener('abort', onAbort);
  const unanswered = createUnanswered(clock, options.pubackMs);
  const stopWatch = every(clock, Math.min(1000, options.pubackMs / 4), () => {
    if (unanswered.overdue()) finish('lost', `no PUBACK for ${options.pubackMs / 1000} s`, { unanswered: true });
  });
  client.on('error', (error: Error & { code?: unknown }) => {
    finish(kindOf(error.code) ?? (connectedAt === undefined ? 'unreachable' : 'lost'), fault ?? error.message);
  });
  client.on('disconnect', ({ reasonCode = 0, properties }) => {
    const reason = properties?.reasonString ?? `DISCONNECT ${reasonCode}`;
    finish(reasonCode === TAKEN_OVER ? 'taken' : (kindOf(reasonCode) ?? 'lost'), reason);
  });
  client.on('message', (topic, payload, { retain }) => {
    if (!over) options.onMessage(topic, payload, retain);
  });

  const { promise: accepted, resolve: accept } = Promise.withResolvers<void>();
  client.on('connect', () => {
    connectedAt = clock.mono();
    accept();
  });
  client.on('close', () => {
    const silent = closedByServer && fault === undefined;
    if (connectedAt !== undefined) finish('lost', fault ?? 'closed by the server', { silent });
    // A server that does not know MQTT 5 may just hang up instead of answering.
    else finish(version === 5 && silent ? 'version' : 'unreachable', fault ?? 'no answer');
  });
  const refused = await Promise.race([accepted, ended]);
  if (refused) return refused;

  const granted = client.serverProperties;
  const withoutQos1 = granted?.maximumQoS === 0;
  if (withoutQos1) finish('refused', 'the server takes QoS 0 only');
  return {
    version,
    receiveMaximum: granted?.receiveMaximum ?? DEFAULT_RECEIVE_MAXIMUM,
    packetBytes: granted?.maximumPacketSize ?? MAX_PACKET,
    ended,
    publish(topic, payload, { retain = false, contentType } = {}) {
      return new Promise((resolve, reject) => {
        if (over) return reject(new Error('connection ended'));
        const answered = unanswered.add();
        const properties = version === 5 && contentType ? { properties: { contentType } } : {};
        client.publish(topic, payload, { qos: 1, retain, ...properties }, (error) => {
          answered();
          if (!error) return resolve();
          reject(error);
          const { code } = error as Error & { code?: unknown };
          // Later: mqtt.js calls back from a loop over what is open, and breaks if that changes under it.
          queueMicrotask(() => finish(kindOf(code) ?? 'lost', `${topic}: ${error.message}`));
        });
      });
    },
    subscribe(filters) {
      return new Promise((resolve, reject) => {
        const wanted = Object.fromEntries(filters.map((filter) => [filter, { qos: 0 as const, rap: true }]));
        client.subscribe(wanted, (error, _wanted, answer) => {
          if (answer) resolve(filters.filter((_filter, index) => Number(answer.granted[index] ?? 128) >= 128));
          else reject(error ?? new Error('connection ended'));
        });
      });
    },
    async end() {
      if (over) return;
      const gone = new Promise<void>((resolve) => client.end(false, {}, () => resolve()));
      const patience = Promise.withResolvers<void>();
      const cancel = clock.after(END_MS, patience.resolve);
      await Promise.race([gone, patience.promise]);
      cancel();
      finish('lost', 'ended by the gateway');
    },
  };
}

function dial({ host, port, tls }: Server, ca: string | undefined): Socket {
  const name = isIP(host) === 0 ? { servername: host } : {};
  const socket = tls ? dialTls({ host, port, ...name, ...(ca ? { ca } : {}) }) : dialTcp({ host, port });
  socket.setNoDelay(true); // with Nagle's algorithm a QoS 1 round trip takes 54 ms instead of 0.2
  socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
  return socket;
}

function kindOf(code: unknown): Ending['kind'] | undefined {
  if (typeof code !== 'number') return undefined;
  if (VERSION_REFUSED.has(code)) return 'version';
  return REFUSING.has(code) ? 'refused' : undefined;
}

/**
 * Publishes without PUBACK. One is overdue when its own time has passed and the line is silent, or when a later one has
 * been acknowledged: a slow line that still acknowledges is left alone.
 */
function createUnanswered(clock: Clock, timeoutMs: number) {
  const since = new Map<number, number>();
  let count = 0;
  let newestAnswered = 0;
  let lastAnswerAt = Number.NEGATIVE_INFINITY;
  return {
    add(): () => void {
      const place = ++count;
      since.set(place, clock.mono());
      return () => {
        since.delete(place);
        newestAnswered = Math.max(newestAnswered, place);
        lastAnswerAt = clock.mono();
      };
    },
    overdue(): boolean {
      const [oldest] = since;
      if (!oldest) return false;
      const [place, at] = oldest;
      const now = clock.mono();
      return now - at >= timeoutMs && (newestAnswered > place || now - lastAnswerAt >= timeoutMs);
    },
  };
}
