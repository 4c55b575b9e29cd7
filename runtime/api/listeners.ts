/** The sockets under the API: TCP (TLS off loopback), the unix socket, and how they open and close. */
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { isLoopback } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import type { Limits } from './limits.ts';
import type { KeyPair } from './tls.ts';

export interface Traffic {
  readonly onRequest: RequestListener;
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** An HTTP server with every time limit set; they are all off by default. */
export function httpServer({ onRequest, onUpgrade }: Traffic, limits: Limits, pair?: KeyPair): Server {
  const options = {
    maxHeaderSize: limits.headerBytes,
    requestTimeout: limits.requestTimeoutMs,
    headersTimeout: limits.headersTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: 2000,
    noDelay: true,
  };
  const server: Server = pair
    ? createTlsServer({ ...options, ...pair, minVersion: 'TLSv1.2' }, onRequest)
    : createServer(options, onRequest);
  server.setTimeout(limits.requestTimeoutMs);
  if (onUpgrade) server.on('upgrade', onUpgrade);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => refuseRaw(error, socket));
  return server;
}

/** What never became a request, e.g. headers without end. */
function refuseRaw(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

/**
 * @param variable environment variable that would choose another port, for the message.
 * @throws GatehouseError `http.port_taken`, `http.listen`
 */
export async function listenOn(
  server: NetServer,
  where: { host: string; port: number },
  variable: string,
): Promise<number> {
  await listening(server, where, (error) => {
    const place = `${where.host}:${where.port}`;
    const remedy = `choose another with ${variable}=${where.host}:<port>`;
    const detail = { ...where, variable };
    return error.code === 'EADDRINUSE'
      ? new GatehouseError('http.port_taken', `Another program uses ${place}; stop it or ${remedy}`, { detail })
      : new GatehouseError('http.listen', `Cannot listen on ${place} (${error.code}); ${remedy}`, { detail });
  });
  return (server.address() as AddressInfo).port;
}

/** `sun_path` holds 107 bytes on Linux, 103 elsewhere. */
const LONGEST_PATH = 100;

/** Where the unix socket goes: in the data directory, or, if that path is too long, in a private folder of its own. */
export function socketPathFor(dataDir: string): string {
  const path = join(dataDir, 'gatehouse.sock');
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return join(tmpdir(), `gatehouse-${process.getuid?.() ?? 0}-${hash}`, 'gatehouse.sock');
}

/** @throws GatehouseError `http.port_taken` when a living gateway answers there, `http.listen` */
export async function listenOnSocket(server: NetServer, path: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid } = await lstat(folder);
  // Under the system's temporary folder, somebody else could have been there first.
  if (uid !== (process.getuid?.() ?? uid)) {
    throw new GatehouseError('http.listen', `${folder} belongs to another user`, { detail: { path } });
  }
  if (await answers(path)) {
    throw new GatehouseError('http.port_taken', `Another gateway runs on this data directory: it answers on ${path}`, {
      detail: { path },
    });
  }
  await rm(path, { force: true });
  await listening(
    server,
    { path },
    (error) => new GatehouseError('http.listen', `Cannot listen on ${path} (${error.code})`, { detail: { path } }),
  );
  await chmod(path, 0o600);
}

const listening = (
  server: NetServer,
  where: { host: string; port: number } | { path: string },
  told: (error: NodeJS.ErrnoException) => GatehouseError,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(told(error));
    server.once('error', onError);
    server.listen(where, () => {
      server.off('error', onError);
      resolve();
    });
  });

/** A socket file nobody listens on is what a killed gateway leaves behind. */
const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    const done = (alive: boolean) => () => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', done(true));
    socket.once('error', done(false));
  });

const SWEEP_MS = 50;
const open = new WeakMap<NetServer, Set<Socket>>();

/** Counts sockets, all and per address, and closes what is too much before it costs anything. */
export function boundConnections(server: NetServer, limits: Limits): void {
  server.maxConnections = limits.sockets;
  const perAddress = new Map<string, number>();
  const sockets = new Set<Socket>();
  open.set(server, sockets);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const address = socket.remoteAddress;
    if (address === undefined || isLoopback(address.replace(/^::ffff:/, ''))) return;
    const count = (perAddress.get(address) ?? 0) + 1;
    if (count > limits.socketsPerAddress) {
      socket.destroy();
      return;
    }
    perAddress.set(address, count);
    socket.once('close', () => {
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left === 0) perAddress.delete(address);
      else perAddress.set(address, left);
    });
  });
}

/**
 * Takes no more connections, lets requests finish, and cuts what is left after `graceMs`: also sockets that became
 * websockets or never said a word, which HTTP servers do not count as theirs.
 * @param server bound by {@link boundConnections}. @param speaking HTTP servers behind it, if it is not one itself.
 */
export async function closeServer(server: NetServer, graceMs: number, speaking: readonly Server[]): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => {
      for (const socket of open.get(server) ?? []) socket.destroy();
    }, graceMs);
    // A connection whose last answer has just gone out would wait for more for its whole keep-alive time.
    const endIdle = () => {
      for (const one of speaking) one.closeIdleConnections();
    };
    const sweep = setInterval(endIdle, SWEEP_MS);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(sweep);
      resolve();
    });
    endIdle();
  });
}
