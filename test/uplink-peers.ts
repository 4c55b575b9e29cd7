/** Foreign MQTT servers as processes of their own, and a line between that can be disturbed. For the uplink's tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFrameMeter } from '../runtime/broker/frames.ts';

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface Peer extends AsyncDisposable {
  readonly port: number;
  /** SIGKILL: nothing is said, nothing is saved. */
  kill(): Promise<void>;
  /** In order: what it has acknowledged and the sessions of its clients are saved first. */
  stop(): Promise<void>;
  /** Again on the same port, with what its store had kept. */
  start(): Promise<void>;
  /** It stands still, or goes on. */
  pause(still: boolean): void;
}

async function peer(port: number, directory: string, command: string, args: readonly string[]): Promise<Peer> {
  let child: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals) => {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
  };
  const kill = () => end('SIGKILL');
  const start = async () => {
    child = spawn(command, args, { stdio: 'ignore' });
    await answers(port, 10_000);
  };
  await start();
  return {
    port,
    kill,
    stop: () => end('SIGTERM'),
    start,
    pause: (still) => void child?.kill(still ? 'SIGSTOP' : 'SIGCONT'),
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
/** Resolves once somebody takes connections there; there is no event for it. */
async function answers(port: number, withinMs: number): Promise<void> {
  for (const deadline = performance.now() + withinMs; ; await sleep(20)) {
    const socket = connect({ host: '127.0.0.1', port });
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    } finally {
      socket.destroy();
    }
  }
}

/** Mosquitto speaks MQTT 5 and allows 20 unacknowledged messages. @param more lines of its configuration */
export const startMosquitto = async (...more: string[]): Promise<Peer> => startMosquittoAt(await freePort(), ...more);

export async function startMosquittoAt(port: number, ...more: string[]): Promise<Peer> {
  const directory = mkdtempSync(join(tmpdir(), 'gh-mosquitto-'));
  const file = join(directory, 'mosquitto.conf');
  const lines = [`listener ${port} 127.0.0.1`, 'max_queued_messages 0', ...more];
  lines.push('persistence true', `persistence_location ${directory}/`);
  if (!more.some((line) => line.startsWith('password_file'))) lines.push('allow_anonymous true');
  if (process.getuid?.() === 0) lines.push('user root');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return peer(port, directory, 'mosquitto', ['-c', file]);
}

/** NATS speaks MQTT 3.1.1 only and refuses 5. */
export async function startNats(): Promise<Peer> {
  const [port, client] = [await freePort(), await freePort()];
  const directory = mkdtempSync(join(tmpdir(), 'gh-nats-'));
  const file = join(directory, 'nats.conf');
  const lines = [
    'server_name: n1',
    `listen: 127.0.0.1:${client}`,
    `jetstream { store_dir: "${directory}/js", max_memory_store: 64MB, max_file_store: 256MB }`,
    `mqtt { listen: 127.0.0.1:${port}, ack_wait: "3s", max_ack_pending: 1000 }`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return peer(port, directory, 'nats-server', ['-c', file]);
}

export interface Line extends AsyncDisposable {
  readonly port: number;
  /** Packets of this type from the server are swallowed while it returns true. */
  swallow: (type: number) => boolean;
  /** Told of every packet from the server before it goes on. */
  onPacket: (type: number) => void;
  /** Both directions stand still while the connections stay open: a cable pulled behind a switch. */
  frozen: boolean;
  /** Bytes a second from client to server; undefined: as fast as it goes. */
  bytesPerSecond: number | undefined;
  /** How many connections came so far. */
  readonly connections: number;
  cut(): void;
}

const PUBACK = 4;
export const isPuback = (type: number): boolean => type === PUBACK;

/** A TCP line to a server, packet by packet in the direction of the client. */
export async function startLine(to: number): Promise<Line> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer({ noDelay: true }, (client) => {
    connections++;
    const upstream = connect({ host: '127.0.0.1', port: to, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        if (line.frozen) return;
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => {
      if (line.frozen) return;
      upstream.write(chunk);
      if (line.bytesPerSecond === undefined) return;
      client.pause();
      setTimeout(() => client.resume(), (chunk.length / line.bytesPerSecond) * 1000);
    });
    const cutter = createPacketCutter();
    upstream.on('data', (chunk: Buffer) => {
      for (const packet of cutter(chunk)) {
        const type = (packet[0] ?? 0) >> 4;
        line.onPacket(type);
        if (!line.frozen && !line.swallow(type)) client.write(packet);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const line: Line = {
    port: (server.address() as AddressInfo).port,
    swallow: () => false,
    onPacket: () => {},
    frozen: false,
    bytesPerSecond: undefined,
    get connections() {
      return connections;
    },
    cut,
    async [Symbol.asyncDispose]() {
      line.frozen = false;
      cut();
      server.close();
      await once(server, 'close');
    },
  };
  return line;
}

/** Whole packets out of a stream. */
export function createPacketCutter(): (chunk: Buffer) => Buffer[] {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const packets: Buffer[] = [];
    for (;;) {
      let size = 0;
      createFrameMeter((_type, whole, index) => {
        if (index === 0) size = whole;
        return index > 0 ? 'enough' : undefined;
      }).feed(rest);
      if (size === 0 || rest.length < size) return packets;
      packets.push(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  };
}
