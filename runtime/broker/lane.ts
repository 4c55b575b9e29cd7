/**
 * The short way of a message: what a logged-in device publishes to one of its own topics at QoS 0 or 1 goes straight from
 * the socket to the gateway, and its PUBACK straight back. Everything else, also whatever is not plainly right, takes the
 * long way through the broker library, which answers or refuses it.
 */
import type { Clock } from '../clock.ts';
import { type Frame, PUBLISH } from './cutter.ts';

const QOS_BITS = 0b0110;
const QOS_1 = 0b0010;
const PUBACK_BYTES = 4;
/** So many messages of one device may be on their way into the journal, then its socket waits. */
const MOST_PENDING = 64;

/** What a lane needs of a `GuardedSocket`. */
export interface LaneSocket {
  readonly destroyed: boolean;
  /** @returns false when what was written waits for its reader; `drain` follows. */
  write(bytes: Buffer): boolean;
  wait(waits: boolean): void;
  destroy(error: Error): unknown;
  once(event: 'drain', listener: () => void): unknown;
}

export interface LaneParts {
  readonly socket: LaneSocket;
  /** What this device may publish to. */
  readonly topics: Iterable<string>;
  /** Topics that other devices listen to: their messages take the long way. */
  readonly listened: ReadonlySet<string>;
  /** Called once for each message, in the order they came; `done` at any time after. */
  readonly take: (topic: string, payload: Buffer, done: (error?: unknown) => void) => void;
  /** Asked about a message that was not simply stored; `done()` acknowledges it, an error ends the connection. */
  readonly judge: (topic: string, error: unknown, done: (error?: Error) => void) => void;
  readonly clock: Clock;
  /** How long a device may leave its PUBACKs unread. */
  readonly drainMs: number;
}

/** @returns what `GuardedSocket.open` asks of every packet. */
export function openLane({
  socket,
  topics,
  listened,
  take,
  judge,
  clock,
  drainMs,
}: LaneParts): (frame: Frame) => boolean {
  const known = [...topics].map((topic) => ({ topic, bytes: Buffer.from(topic) }));
  let pending = 0;
  let acks: number[] = [];
  let undrained = false;

  const wait = () => socket.wait(pending >= MOST_PENDING || undrained);

  function topicOf({ bytes, body }: Frame, length: number): string | undefined {
    const start = body + 2;
    const found = known.find(
      (one) => one.bytes.length === length && bytes.compare(one.bytes, 0, length, start, start + length) === 0,
    );
    return found && !listened.has(found.topic) ? found.topic : undefined;
  }

  function acknowledge(): void {
    const ids = acks;
    acks = [];
    if (socket.destroyed) return;
    const answer = Buffer.allocUnsafe(ids.length * PUBACK_BYTES);
    let at = 0;
    for (const id of ids) at = answer.writeUInt32BE(0x4002_0000 + id, at);
    if (socket.write(answer) || undrained) return;
    undrained = true;
    wait();
    const cancel = clock.after(drainMs, () => socket.destroy(new Error('drain timeout')));
    socket.once('drain', () => {
      cancel();
      undrained = false;
      wait();
    });
  }

  function settle(id: number, error?: Error): void {
    if (pending-- === MOST_PENDING) wait();
    if (error) {
      if (!socket.destroyed) socket.destroy(error);
    } else if (id > 0 && acks.push(id) === 1) queueMicrotask(acknowledge);
  }

  return (frame) => {
    const { bytes, start, body, end } = frame;
    const header = bytes[start] ?? 0;
    const qos = header & QOS_BITS;
    if (header >> 4 !== PUBLISH || qos > QOS_1 || end - body < 2) return false;
    const length = bytes.readUInt16BE(body);
    let payload = body + 2 + length;
    if (payload + (qos === QOS_1 ? 2 : 0) > end) return false;
    const topic = topicOf(frame, length);
    if (topic === undefined) return false;
    let id = 0;
    if (qos === QOS_1) {
      id = bytes.readUInt16BE(payload);
      payload += 2;
      if (id === 0) return false;
    }
    if (++pending === MOST_PENDING) wait();
    take(topic, bytes.subarray(payload, end), (error) => {
      if (error === undefined) settle(id);
      else judge(topic, error, (end) => settle(id, end));
    });
    return true;
  };
}
