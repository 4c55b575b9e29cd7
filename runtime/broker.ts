/**
 * The MQTT broker for devices on the site network: Aedes, which speaks 3.1.1, behind limits and rules of our own
 * (reliability.md R1, N10, section 8). A message is acknowledged only after the gateway has it on disk.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, isIP, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import { type AdmissionLimits, createAdmission } from './broker/admission.ts';
import { GuardedSocket } from './broker/guard.ts';
import { openLane } from './broker/lane.ts';
import { clean, createRefusals, type Refusal, type RefusalReason } from './broker/refusals.ts';
import { noOwnTopics, type OwnTopics, type TopicRules, topicRules } from './broker/topics.ts';
import { createTurnstile, type Turnstile } from './broker/turnstile.ts';
import { type Clock, every } from './clock.ts';
import { GatehouseError, reasonOf } from './errors.ts';
import type { Log } from './log.ts';

export type { Refusal } from './broker/refusals.ts';

interface BrokerLimits extends AdmissionLimits {
  readonly subscriptions: number;
  readonly messagesPerSecond: number;
  /** Seconds; a device that sends no keep-alive at all is refused, its death would go unnoticed. */
  readonly keepalive: { readonly least: number; readonly most: number };
  readonly connectMs: number;
}
const defaultLimits: BrokerLimits = {
  connectBytes: 4096,
  packetBytes: 65_536,
  connections: 300,
  pendingPerAddress: 5,
  subscriptions: 20,
  messagesPerSecond: 50,
  keepalive: { least: 10, most: 300 },
  connectMs: 5000,
};

export interface BrokerOptions {
  readonly host: string;
  readonly port: number;
  /** PEM. Needed off loopback unless the site allows plain MQTT on its device network. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly plainDevices?: boolean;
  readonly log: Log;
  readonly clock: Clock;
  readonly devices: { exists(id: string): boolean; secretOf(id: string): string | undefined };
  /** Topics of the device's firmware profile, beside `gatehouse/devices/<id>/…`. */
  topicsOf?(device: string): OwnTopics;
  /**
   * Takes one message. `done()`: it is on disk, the device gets its PUBACK. With an expected code of the catalogue: it was
   * counted and recorded as unusable, and is acknowledged too, or the device would send it for ever. With `journal.*` or
   * anything unexpected: no PUBACK, the device keeps it. A callback, as a promise for each message costs a fifth of the rate.
   */
  onMessage(device: string, topic: string, payload: Uint8Array, done: (error?: unknown) => void): void;
  onConnect?(device: string): void;
  onDisconnect?(device: string): void;
  /** For the audit trail. */
  onRefused?(refusal: Refusal): void;
  readonly limits?: Partial<BrokerLimits>;
}

export interface Broker {
  readonly port: number;
  /** Ends the connection of a device that was removed or has a new secret. */
  disconnect(device: string): void;
  close(): Promise<void>;
}

const TAKEOVER_HOLD_MS = 10_000;
/** A wrong password costs its sender this long, which with few pending connections ends guessing. */
const WRONG_PASSWORD_MS = 1000;
/** How long a message is kept waiting when the journal fails, before the connection goes. */
const WITHHELD_MS = 1000;
const FLOOD_PATIENCE_MS = 30_000;
/** How long a device may leave unread what it is sent. */
const DRAIN_MS = 10_000;
const SILENCE_CHECK_MS = 1000;
/** MQTT 3.1.1, 3.1.2.10: one and a half times the keep-alive. */
const KEEPALIVE_PATIENCE = 1.5;
/** Aedes: 4 is "bad user name or password", 2 "identifier rejected". */
const BAD_CREDENTIALS = 4;
const REJECTED = 2;

/** One logged-in device. */
interface Seat {
  readonly client: Client;
  readonly address: string;
  readonly rules: TopicRules;
  readonly turnstile: Turnstile;
  /** Longest silence, ms. */
  readonly patienceMs: number;
  /** Monotonic time of the last packet. */
  heard: number;
  /** Monotonic time at which another address first tried to take over. */
  contestedAt?: number;
}

/** @throws GatehouseError `config.invalid` when TLS is missing; the listen error (EADDRINUSE…) as it comes. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { clock, devices, log } = options;
  const limits = { ...defaultLimits, ...options.limits };
  if (!options.tls && !options.plainDevices && !isLoopback(options.host)) {
    throw new GatehouseError('config.invalid', `The device broker needs TLS on ${options.host}: see plainDevices`);
  }
  const refusals = createRefusals(clock, (refusal) => {
    log.warn({ ...refusal }, 'device broker refused');
    options.onRefused?.(refusal);
  });
  const seats = new Map<string, Seat>();
  const patience = new WeakMap<Client, number>();
  /** Topics of the way up that a profile lets another device listen to. */
  const listened = new Set<string>();
  const addressOf = (client: Client) => (client.conn instanceof GuardedSocket ? client.conn.address : '');
  const seatOf = (client: Client) => {
    const seat = seats.get(client.id);
    return seat?.client === client ? seat : undefined;
  };
  const refuse = (reason: RefusalReason, client: Client, device: string, detail: string) => {
    refusals.refuse(reason, devices.exists(device) ? device : '', addressOf(client), detail);
    return new Error(`${reason}: ${clean(detail)}`);
  };

  /** What becomes of a message that was not simply stored: acknowledged all the same, or the end of its connection. */
  function judge(device: string, topic: string, error: unknown, done: (error?: Error) => void): void {
    if (error instanceof GatehouseError && !error.code.startsWith('journal.')) {
      log.debug({ device, topic, code: error.code, reason: error.message }, 'message not usable');
      done();
      return;
    }
    log.error({ err: error, device, topic }, 'message not stored: no PUBACK');
    clock.after(WITHHELD_MS, () => done(new Error(`not stored: ${reasonOf(error)}`)));
  }

  const aedes = await Aedes.createBroker({
    connectTimeout: limits.connectMs,
    drainTimeout: DRAIN_MS,
    maxClientsIdLength: 64,
    maxInflightInbound: 20,
    maxTopicLevels: 8,
    preConnect(client, packet, done) {
      const fail = (reason: RefusalReason, detail: string) =>
        done(refuse(reason, client, packet.clientId, detail), false);
      const { keepalive = 0, protocolVersion, will } = packet;
      if (protocolVersion !== 3 && protocolVersion !== 4) {
        refuse('protocol', client, packet.clientId, 'MQTT 5 is not spoken here: set the device to MQTT 3.1.1');
        return done(null, true); // Aedes answers it with CONNACK 1, "unacceptable protocol version"
      }
      if (keepalive < limits.keepalive.least || keepalive > limits.keepalive.most) {
        const { least, most } = limits.keepalive;
        return fail('keepalive', `keep-alive of ${keepalive} s, allowed are ${least} to ${most} s`);
      }
      if (will && !topicRules(packet.clientId, ownTopics(packet.clientId)).mayPublish(will.topic)) {
        return fail('will', `will on ${will.topic}`);
      }
      packet.clean = true; // sessions kept for absent devices would grow in memory
      patience.set(client, keepalive * 1000 * KEEPALIVE_PATIENCE);
      packet.keepalive = 0; // Aedes does not see every packet: silence is watched here
      done(null, true);
    },
    authenticate(client, username, password, done) {
      const device = client.id;
      const secret = devices.secretOf(device);
      const right = secret !== undefined && password !== undefined && equals(password, secret);
      if (username !== device || !right) {
        refuse('credentials', client, device, `client id ${device}, user ${username ?? '(none)'}`);
        clock.after(WRONG_PASSWORD_MS, () => done(connackError('bad user name or password', BAD_CREDENTIALS), false));
        return;
      }
      const seat = seats.get(device);
      if (seat && seat.address !== addressOf(client)) {
        seat.contestedAt ??= clock.mono();
        if (clock.mono() - seat.contestedAt < TAKEOVER_HOLD_MS) {
          refuse('takeover', client, device, `connected from ${seat.address}, also wanted from ${addressOf(client)}`);
          return done(connackError('in use from another address', REJECTED), false);
        }
      }
      done(null, true);
    },
    authorizePublish(client, packet, done) {
      const device = client?.id ?? '';
      const seat = client ? seatOf(client) : undefined;
      const rules = seat?.rules ?? topicRules(device, ownTopics(device));
      if (!client || !rules.mayPublish(packet.topic)) {
        return done(client ? refuse('publish', client, device, `publish to ${packet.topic}`) : new Error('no client'));
      }
      packet.retain = false; // what a device said once is not a state to hand out later
      const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
      const { topic } = packet;
      const go = () =>
        options.onMessage(device, topic, payload, (error) =>
          error === undefined ? done() : judge(device, topic, error, done),
        );
      if (seat && !client.closed) seat.turnstile.pass(go);
      else go(); // the will of a connection that has just gone
    },
    authorizeSubscribe(client, subscription, done) {
      const device = client.id;
      const taken = Object.keys((client as Client & { subscriptions?: object }).subscriptions ?? {}).length;
      if (taken >= limits.subscriptions) {
        return done(refuse('too-many', client, device, `more than ${limits.subscriptions} subscriptions`));
      }
      if (!seatOf(client)?.rules.maySubscribe(subscription.topic)) {
        return done(refuse('subscribe', client, device, `subscribe to ${subscription.topic}`));
      }
      if (!subscription.topic.startsWith(`gatehouse/devices/${device}/down/`)) listened.add(subscription.topic);
      done(null, subscription);
    },
  });

  function ownTopics(device: string): OwnTopics {
    return devices.exists(device) ? (options.topicsOf?.(device) ?? noOwnTopics) : noOwnTopics;
  }

  aedes.on('client', (client) => {
    const device = client.id;
    const flood = () => {
      refuse('rate', client, device, `more than ${limits.messagesPerSecond} messages a second`);
      client.close();
    };
    seats.set(device, {
      client,
      patienceMs: patience.get(client) ?? limits.keepalive.most * 1000,
      heard: clock.mono(),
      address: addressOf(client),
      rules: topicRules(device, ownTopics(device)),
      turnstile: createTurnstile(clock, limits.messagesPerSecond, FLOOD_PATIENCE_MS, flood),
    });
  });
  aedes.on('clientReady', (client) => {
    const seat = seatOf(client);
    if (seat && client.conn instanceof GuardedSocket) {
      const device = client.id;
      const { turnstile } = seat;
      const lane = openLane({
        socket: client.conn,
        topics: seat.rules.up,
        listened,
        clock,
        drainMs: DRAIN_MS,
        take(topic, payload, done) {
          if (turnstile.admits()) options.onMessage(device, topic, payload, done);
          else turnstile.pass(() => options.onMessage(device, topic, payload, done));
        },
        judge: (topic, error, done) => judge(device, topic, error, done),
      });
      client.conn.open((frame) => {
        seat.heard = clock.mono();
        return lane(frame);
      });
    }
    log.info({ device: client.id, address: addressOf(client) }, 'device connected');
    options.onConnect?.(client.id);
  });
  aedes.on('clientDisconnect', (client) => {
    const seat = seatOf(client);
    if (!seat) return;
    seat.turnstile.close();
    seats.delete(client.id);
    log.info({ device: client.id }, 'device disconnected');
    options.onDisconnect?.(client.id);
  });
  for (const event of ['clientError', 'connectionError'] as const) {
    aedes.on(event, (client, error) => log.debug({ device: client.id, reason: error.message }, 'device connection'));
  }

  const stopWatching = every(clock, SILENCE_CHECK_MS, () => {
    for (const { client, heard, patienceMs } of seats.values()) {
      if (clock.mono() - heard > patienceMs) client.conn.destroy(new Error('keep-alive timeout'));
    }
  });

  const door = createAdmission(
    limits,
    (reason, address, detail) => refusals.refuse(reason, '', address, detail),
    (socket) => aedes.handle(socket),
  );
  const server: Server = options.tls
    ? createTlsServer({ ...options.tls, minVersion: 'TLSv1.2', handshakeTimeout: limits.connectMs }, door.admit)
    : createServer(door.admit);
  server.maxConnections = limits.connections;
  server.on('drop', (dropped) => {
    refusals.refuse('too-many', '', dropped?.remoteAddress ?? '', `more than ${limits.connections} connections`);
  });
  server.listen(options.port, options.host);
  try {
    await once(server, 'listening');
  } catch (error) {
    stopWatching();
    aedes.close();
    throw error;
  }
  server.on('error', (error) => log.error({ err: error }, 'device broker'));
  const { port } = server.address() as AddressInfo;
  log.info({ host: options.host, port, tls: options.tls !== undefined }, 'device broker listens');
  return {
    port,
    disconnect: (device) => seats.get(device)?.client.close(),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await new Promise<void>((resolve) => aedes.close(resolve));
      for (const seat of seats.values()) seat.turnstile.close();
      stopWatching();
      door.close();
      refusals.close();
      await closed;
    },
  };
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** Compares in a time that says nothing about either side, not even the length. */
function equals(given: Uint8Array, secret: string): boolean {
  const digest = (value: Uint8Array | string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(given), digest(secret));
}

const connackError = (text: string, returnCode: number): AuthenticateError =>
  Object.assign(new Error(text), { returnCode });
