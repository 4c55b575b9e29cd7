/**
 * A broker that misbehaves on purpose: as much of MQTT 5 as an uplink meets, with a hand in every answer. It is the receiver
 * as well: it keeps what it was sent, each record once, and notices holes.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createPacketCutter } from './uplink-peers.ts';
import { type Batch, bodyOf, newTrack, type Track, take } from './uplink-receiver.ts';

export interface Publish {
  readonly topic: string;
  readonly id: number;
  readonly dup: boolean;
  readonly payload: Buffer;
  /** How many messages of this connection came before it. */
  readonly place: number;
}
/** What to do with a message: acknowledge it (with a reason code), twice, not at all, or end the connection. */
export type Treatment =
  | 'ack'
  | 'twice'
  | 'silent'
  | 'cut'
  | { readonly code: number }
  | { readonly disconnect: number };

export interface BadBroker extends AsyncDisposable {
  readonly port: number;
  readonly urgent: Track;
  readonly bulk: Track;
  readonly replies: (Batch & Record<string, unknown>)[];
  /** When each connection came. */
  readonly connections: readonly number[];
  readonly publishes: readonly (Publish & { readonly connection: number })[];
  /** The most messages and bytes that were ever unacknowledged on a connection. */
  readonly mostOpen: { readonly messages: number; readonly bytes: number };
  /** CONNACK reason. */
  connect: (connection: number) => number;
  publish: (message: Publish, connection: number) => Treatment;
  /** It does not answer pings. */
  deaf: (connection: number) => boolean;
  /** SUBACK reason of every filter. */
  subscribe: () => number;
  /** CONNACK properties. */
  receiveMaximum: number | undefined;
  maximumPacketSize: number | undefined;
  /** Bytes after which a connection is cut, wherever that is. */
  cutAfter: number | undefined;
  /** Sends a message down, so many times with the same id. */
  send(topic: string, body: object, times?: number): void;
}

const CONNECT = 1;
const PUBLISH = 3;
const SUBSCRIBE = 8;
const PINGREQ = 12;
const SUCCESS = 0;

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const text = (value: string): Buffer => Buffer.concat([u16(Buffer.byteLength(value)), Buffer.from(value)]);
/** The number at `at` and where it ends. */
function varint(bytes: Buffer, at: number): [value: number, end: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at];
  }
}
function packet(header: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    length.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) return Buffer.concat([Buffer.from([header, ...length]), body]);
  }
}

function readPublish(bytes: Buffer, place: number): Publish {
  const [, start] = varint(bytes, 1);
  const topicEnd = start + 2 + bytes.readUInt16BE(start);
  const [properties, propertiesAt] = varint(bytes, topicEnd + 2);
  return {
    topic: bytes.toString('utf8', start + 2, topicEnd),
    id: bytes.readUInt16BE(topicEnd),
    dup: ((bytes[0] ?? 0) & 8) !== 0,
    payload: bytes.subarray(propertiesAt + properties),
    place,
  };
}

export async function startBadBroker(): Promise<BadBroker> {
  const sockets = new Set<Socket>();
  const connections: number[] = [];
  const publishes: (Publish & { connection: number })[] = [];
  const mostOpen = { messages: 0, bytes: 0 };
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = connections.push(performance.now());
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    const cutter = createPacketCutter();
    const open = new Map<number, number>();
    let place = 0;
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      for (const one of cutter(chunk)) {
        const type = (one[0] ?? 0) >> 4;
        if (type === CONNECT) socket.write(connack(broker.connect(connection)));
        else if (type === SUBSCRIBE) socket.write(suback(one, broker.subscribe()));
        else if (type === PINGREQ && !broker.deaf(connection)) socket.write(packet(0xd0));
        else if (type === PUBLISH) received(socket, readPublish(one, place++), connection, open);
      }
      if (broker.cutAfter !== undefined && bytes >= broker.cutAfter) socket.destroy();
    });
  });
  function connack(code: number): Buffer {
    const properties = Buffer.concat([
      ...(broker.receiveMaximum === undefined ? [] : [Buffer.from([0x21]), u16(broker.receiveMaximum)]),
      ...(broker.maximumPacketSize === undefined
        ? []
        : [Buffer.from([0x27]), u16(broker.maximumPacketSize >> 16), u16(broker.maximumPacketSize & 0xffff)]),
    ]);
    return packet(0x20, Buffer.from([0, code, properties.length]), properties);
  }
  function suback(bytes: Buffer, code: number): Buffer {
    const [, start] = varint(bytes, 1);
    const [properties, at] = varint(bytes, start + 2);
    let filters = 0;
    for (let next = at + properties; next < bytes.length; filters++) next += 3 + bytes.readUInt16BE(next);
    return packet(0x90, bytes.subarray(start, start + 2), Buffer.from([0, ...Array(filters).fill(code)]));
  }
  function received(socket: Socket, message: Publish, connection: number, open: Map<number, number>): void {
    publishes.push({ ...message, connection });
    open.set(message.id, message.payload.length);
    mostOpen.messages = Math.max(mostOpen.messages, open.size);
    mostOpen.bytes = Math.max(
      mostOpen.bytes,
      [...open.values()].reduce((sum, size) => sum + size, 0),
    );
    const treatment = broker.publish(message, connection);
    if (treatment === 'cut') return void socket.destroy();
    if (typeof treatment === 'object' && 'disconnect' in treatment) {
      socket.end(packet(0xe0, Buffer.from([treatment.disconnect, 0])));
      return;
    }
    const refused = typeof treatment === 'object';
    if (!refused) keep(message);
    if (treatment === 'silent') return;
    open.delete(message.id);
    const answer = packet(0x40, u16(message.id), Buffer.from([refused ? treatment.code : SUCCESS, 0]));
    socket.write(answer);
    if (treatment === 'twice') socket.write(answer);
  }
  function keep({ topic, payload }: Publish): void {
    if (topic.endsWith('/up/urgent')) take(broker.urgent, bodyOf(payload));
    else if (topic.endsWith('/up/bulk')) take(broker.bulk, bodyOf(payload));
    else if (topic.endsWith('/up/reply')) broker.replies.push(bodyOf(payload));
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let sent = 0;
  const broker: BadBroker = {
    port: (server.address() as AddressInfo).port,
    urgent: newTrack(),
    bulk: newTrack(),
    replies: [],
    connections,
    publishes,
    mostOpen,
    connect: () => SUCCESS,
    publish: () => 'ack',
    deaf: () => false,
    subscribe: () => SUCCESS,
    receiveMaximum: undefined,
    maximumPacketSize: undefined,
    cutAfter: undefined,
    send(topic, body, times = 1) {
      const bytes = packet(0x32, text(topic), u16(++sent), Buffer.from([0]), Buffer.from(JSON.stringify(body)));
      for (const socket of sockets) for (let n = 0; n < times; n++) socket.write(bytes);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return broker;
}
