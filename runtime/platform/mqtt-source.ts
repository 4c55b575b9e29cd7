/**
 * Any MQTT broker as the source: a session of our own that the broker keeps while we are away, QoS 1, and an acknowledgement
 * only for what is committed. MQTT has one message after the other on a session; several workers share the load by a shared
 * subscription (`share`, where the broker has them) or each take some of the sites.
 */
import { connect as dialTcp, isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as dialTls } from 'node:tls';
import mqtt from 'mqtt';
import type { Delivery } from './message.ts';
import type { Say } from './store.ts';

export interface Source {
  /** Publishes to a gateway. Rejects when there is no connection; what is asked for this way is asked for again. */
  down(topic: string, body: object, retain?: boolean): Promise<void>;
  /** Acknowledges what is committed, takes nothing more, and ends. */
  stop(): Promise<void>;
}

export interface MqttOptions {
  /** `mqtt://user:password@host:1883`, several servers of one cluster in a comma list. */
  readonly address: string;
  /** Stable: the broker keeps what comes in the meantime under this name. */
  readonly clientId: string;
  /** 3.1.1 is 4. */
  readonly version?: 4 | 5;
  /** Only this site; default: all. */
  readonly site?: string;
  /** Name of a group that shares the messages (`$share/<group>/…`), where the broker offers that. */
  readonly share?: string;
  readonly say: Say;
  take(deliveries: readonly Delivery[]): Promise<unknown>;
}

const KEEPALIVE_SECONDS = 60;
const CONNECT_MS = 10_000;
const RETRY_MS = 1000;
const SESSION_SECONDS = 30 * 86_400;
const IN_FLIGHT = 100;

export function startMqttSource(options: MqttOptions): Source {
  const { servers, ...credentials } = readAddress(options.address);
  const { version = 4, share, site = '+', say } = options;
  const group = share === undefined ? '' : `$share/${share}/`;
  const filters = [`${group}gatehouse/v1/${site}/+/up/+`, `${group}gatehouse/v1/${site}/+/status`];
  const stopping = new AbortController();
  let current: mqtt.MqttClient | undefined;

  /** @returns when the connection has ended */
  async function serve({ host, port, tls }: Server): Promise<void> {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const client = new mqtt.MqttClient(
      () => {
        const socket = tls ? dialTls({ host, port, ...name }) : dialTcp({ host, port });
        socket.setNoDelay(true);
        return socket;
      },
      {
        ...credentials,
        clientId: options.clientId,
        clean: false,
        protocolVersion: version,
        // A connection that ended is never used again: an acknowledgement must not reach the next one, where its number
        // may belong to another message.
        reconnectPeriod: 0,
        resubscribe: false,
        connectTimeout: CONNECT_MS,
        keepalive: KEEPALIVE_SECONDS,
        ...(version === 5 ? { properties: { sessionExpiryInterval: SESSION_SECONDS, receiveMaximum: IN_FLIGHT } } : {}),
      },
    );
    const gone = Promise.withResolvers<void>();
    client.on('close', gone.resolve);
    client.on('error', (error) => {
      say('mqtt', { server: `${host}:${port}`, reason: error.message });
      client.end(true);
      gone.resolve();
    });
    client.handleMessage = ({ topic, payload }, acknowledge) => {
      // Not acknowledged, it comes again over the next connection.
      const unless = () => client.end(true);
      const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
      options.take([{ topic, payload: body }]).then(() => acknowledge(), unless);
    };
    client.on('connect', () => {
      current = client;
      client.subscribe(filters, { qos: 1 }, (error, granted) => {
        const refused = granted?.filter(({ qos }) => qos === 128).map(({ topic }) => topic) ?? [];
        if (error || refused.length > 0) say('mqtt', { refused, ...(error ? { reason: error.message } : {}) });
        else say('listening', { server: `${host}:${port}`, filters });
      });
    });
    const onAbort = () => client.end(true);
    stopping.signal.addEventListener('abort', onAbort);
    await gone.promise;
    stopping.signal.removeEventListener('abort', onAbort);
    if (current === client) current = undefined;
    client.end(true);
  }

  async function run(): Promise<void> {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const server = servers[turn % servers.length];
      if (server) await serve(server);
      await delay(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {}); // aborted: the loop sees it
    }
  }

  const running = run();
  return {
    async down(topic, body, retain = false) {
      if (!current?.connected) throw new Error('not connected');
      await current.publishAsync(topic, JSON.stringify(body), { qos: 1, retain });
    },
    async stop() {
      stopping.abort(new Error('stopped'));
      await running;
    },
  };
}

interface Server {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/**
 * The later servers of a list may leave out the scheme; credentials of the first count for all.
 * @throws Error; the text never holds a password
 */
export function readAddress(text: string): { servers: Server[]; username?: string; password?: string } {
  const parts = text.split(',').map((part) => part.trim());
  const scheme = /^mqtts?:/.exec(parts[0] ?? '')?.[0] ?? '';
  const urls = parts.map((part) => URL.parse(part.includes('://') ? part : `${scheme}//${part}`));
  const servers = urls.map((url, index): Server => {
    if (!url?.hostname || !/^mqtts?:$/.test(url.protocol)) {
      throw new Error(`server ${index + 1}: expected mqtt://host:port or mqtts://host:port`);
    }
    const tls = url.protocol === 'mqtts:';
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || (tls ? 8883 : 1883), tls };
  });
  const [first] = urls;
  return first?.username
    ? { servers, username: decodeURIComponent(first.username), password: decodeURIComponent(first.password) }
    : { servers };
}
