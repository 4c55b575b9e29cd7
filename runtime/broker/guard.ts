/**
 * A socket with a limit on every packet, to stand in front of the MQTT broker: Aedes itself buffers a packet of any size
 * before anybody has logged in.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { CONNECT, createFrameMeter, type FrameMeter } from './frames.ts';

export interface PacketLimits {
  /** Bytes of the CONNECT packet. */
  readonly connectBytes: number;
  /** Bytes of any packet after it. */
  readonly packetBytes: number;
}

/** Lets the CONNECT packet through and nothing behind it until `open()`; bytes sent early wait in the sender's socket. */
export class GuardedSocket extends Duplex {
  readonly address: string;
  readonly #socket: Socket;
  readonly #meter: FrameMeter;
  readonly #onFault: (fault: string) => void;
  readonly #limit: number;
  #isOpen = false;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(socket: Socket, limits: PacketLimits, onFault: (fault: string) => void) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#onFault = onFault;
    this.#limit = limits.packetBytes;
    this.address = socket.remoteAddress ?? '';
    this.#meter = createFrameMeter((type, size, index) => {
      if (index === 0 && type !== CONNECT) return `first packet is of type ${type}, not CONNECT`;
      const limit = index === 0 ? limits.connectBytes : limits.packetBytes;
      return size > limit ? `packet of ${size} bytes, at most ${limit}` : undefined;
    });
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** The peer has logged in: what it sent since goes on. */
  open(): void {
    this.#isOpen = true;
    this.emit('open');
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) this.push(chunk);
    this.#socket.resume();
  }

  #take(chunk: Buffer): void {
    const walked = this.#meter.feed(chunk);
    if ('fault' in walked) {
      this.#onFault(walked.fault);
      this.destroy();
      return;
    }
    if (this.#isOpen) {
      if (!this.push(chunk)) this.#socket.pause();
      return;
    }
    if (walked.first > 0) this.push(chunk.subarray(0, walked.first));
    if (walked.first === chunk.length) return;
    this.#held.push(chunk.subarray(walked.first));
    this.#heldBytes += chunk.length - walked.first;
    this.#socket.pause();
    if (this.#heldBytes > 2 * this.#limit) this.destroy();
  }

  override _read(): void {
    if (this.#heldBytes === 0 || this.#isOpen) this.#socket.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    chunks.forEach(({ chunk, encoding }, index) => {
      this.#socket.write(chunk, encoding, index === chunks.length - 1 ? done : undefined);
    });
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#held = [];
    this.#socket.destroy();
    done(error);
  }
}
