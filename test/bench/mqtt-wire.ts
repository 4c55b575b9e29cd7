/** As much of MQTT 3.1.1 as a load generator and its counter need, cheap enough that the broker is the one who is busy. */
import { connect, type Socket } from 'node:net';

const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;
const KEEP_ALIVE_S = 60;

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
};

function packet(header: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    if (rest < 0x80) return Buffer.concat([Buffer.from([header, ...length, rest]), body]);
    length.push((rest & 0x7f) | 0x80);
  }
}

/** A PUBLISH of QoS 1. */
export const publish = (topic: string, id: number, payload: string): Buffer =>
  packet(0x32, text(topic), Buffer.from([id >> 8, id & 0xff]), Buffer.from(payload));

type OnPacket = (type: number, body: Buffer) => void;

/** Splits a stream into packets. */
function packets(onPacket: OnPacket): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    for (;;) {
      let length = 0;
      let head = at + 1;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[head++];
        if (byte === undefined) length = Number.POSITIVE_INFINITY;
        else length += (byte & 0x7f) << shift;
        if (byte === undefined || byte < 0x80) break;
      }
      if (head + length > bytes.length) break;
      onPacket((bytes[at] ?? 0) >> 4, bytes.subarray(head, head + length));
      at = head + length;
    }
    rest = bytes.subarray(at);
  };
}

/** Logs in as `id`, user `id`. @throws when the broker refuses */
async function open(host: string, port: number, id: string, password: string, onPacket: OnPacket): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`${id}: the broker closed the connection`)));
  const answered = (code: number | undefined) =>
    code === 0 ? resolve() : reject(new Error(`${id}: refused, ${code}`));
  const receive = packets((type, body) => (type === CONNACK ? answered(body[1]) : onPacket(type, body)));
  socket.on('data', receive);
  const flags = Buffer.from([4, 0xc2, 0, KEEP_ALIVE_S]);
  socket.write(packet(0x10, text('MQTT'), flags, text(id), text(id), text(password)));
  await promise;
  return socket;
}

export interface Publisher {
  readonly socket: Socket;
  onAck: () => void;
}

/** A device that publishes. @throws when the broker refuses it */
export async function openPublisher(host: string, port: number, device: string, password: string): Promise<Publisher> {
  let onAck = () => {};
  const socket = await open(host, port, device, password, (type) => {
    if (type === PUBACK) onAck();
  });
  return {
    socket,
    set onAck(action: () => void) {
      onAck = action;
    },
  };
}

/** The parts of a PUBLISH of QoS 1. */
export function messageOf(body: Buffer): { readonly topic: string; readonly payload: Buffer } {
  const end = 2 + body.readUInt16BE(0);
  return { topic: body.toString('utf8', 2, end), payload: body.subarray(end + 2) };
}

/** Takes everything at QoS 1 and acknowledges it. @returns what ends it */
export async function openSubscriber(
  host: string,
  port: number,
  onMessage: (body: Buffer) => void,
): Promise<() => void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let acks: Buffer[] = [];
  const socket = await open(host, port, 'consumer', '', (type, body) => {
    if (type === SUBACK) resolve();
    if (type !== PUBLISH) return;
    onMessage(body);
    const id = 2 + body.readUInt16BE(0);
    if (acks.length === 0) {
      queueMicrotask(() => {
        socket.write(Buffer.concat(acks));
        acks = [];
      });
    }
    acks.push(Buffer.from([0x40, 2, body[id] ?? 0, body[id + 1] ?? 0]));
  });
  socket.write(packet(0x82, Buffer.from([0, 1]), text('#'), Buffer.from([1])));
  await promise;
  return () => void socket.removeAllListeners().destroy();
}
