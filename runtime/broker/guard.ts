/**
 * A socket with a limit on every packet, to stand in front of the MQTT broker: Aedes itself buffers a packet of any size
 * before anybody has logged in.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createCutter, type Frame, type FrameCutter } from './cutter.ts';
import { CONNECT } from './frames.ts';

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
  readonly #frames: FrameCutter;
  readonly #onFault: (fault: string) => void;
  readonly #limit: number;
  #isOpen = false;
  #isConnect = true;
  #take: (frame: Frame) => boolean = () => false;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Whoever reads has enough for now. */
  #full = false;
  #waits = false;

  constructor(socket: Socket, limits: PacketLimits, onFault: (fault: string) => void) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#onFault = onFault;
    this.#limit = limits.packetBytes;
    this.address = socket.remoteAddress ?? '';
    this.#frames = createCutter((type, size, index) => {
      if (index === 0 && type !== CONNECT) return `first packet is of type ${type}, not CONNECT`;
      const limit = index === 0 ? limits.connectBytes : limits.packetBytes;
      return size > limit ? `packet of ${size} bytes, at most ${limit}` : undefined;
    });
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /**
   * The peer has logged in: what it sent since goes on.
   *
   * @param take sees every packet first; one it takes (true) does not go on to the broker.
   */
  open(take: (frame: Frame) => boolean): void {
    this.#isOpen = true;
    this.#take = take;
    this.emit('open');
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const chunk of held) this.#receive(chunk);
    this.#flow();
  }

  /** Reads nothing more until `wait(false)`: what was taken is still being dealt with. */
  wait(waits: boolean): void {
    this.#waits = waits;
    this.#flow();
  }

  #flow(): void {
    if (this.#full || this.#waits || this.#heldBytes > 0) this.#socket.pause();
    else this.#socket.resume();
  }

  #receive(chunk: Buffer): void {
    if (!this.#isOpen && !this.#isConnect) {
      this.#hold(chunk);
      return;
    }
    let from = 0; // the first byte of this chunk that the broker has yet to get
    let at = 0;
    while (!this.destroyed) {
      const next = this.#frames.next(chunk, at);
      if (typeof next === 'string') {
        this.#onFault(next);
        this.destroy();
        return;
      }
      if (next === undefined) break;
      const { frame } = this.#frames;
      const taken = this.#isOpen && this.#take(frame);
      if (frame.bytes !== chunk) {
        if (!taken) this.#pass(frame.bytes);
        from = next;
      } else if (taken) {
        this.#pass(chunk.subarray(from, at));
        from = next;
      }
      at = next;
      if (this.#isConnect) {
        this.#isConnect = false;
        this.#pass(chunk.subarray(from, at));
        this.#hold(chunk.subarray(at));
        return;
      }
    }
    this.#pass(chunk.subarray(from, at));
  }

  #pass(bytes: Buffer): void {
    if (bytes.length === 0 || this.destroyed || this.push(bytes)) return;
    this.#full = true;
    this.#flow();
  }

  #hold(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    this.#flow();
    if (this.#heldBytes > 2 * this.#limit) this.destroy();
  }

  override _read(): void {
    this.#full = false;
    this.#flow();
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
