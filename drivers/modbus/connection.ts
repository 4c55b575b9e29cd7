/** A pipe of bytes to one line: a TCP connection or a serial port. */
import { connect } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';
import { GatehouseError, reasonOf } from '../../runtime/errors.ts';
import type { SerialAddress } from './schema.ts';

export interface Connection {
  write(bytes: Uint8Array): void;
  /** Resolves when the port or socket is free again. `closed` of the handlers is not called. */
  close(): Promise<void>;
}

export interface ConnectionHandlers {
  data(chunk: Buffer): void;
  /** The other end or the system ended it. */
  closed(reason: string): void;
}

/** @throws {GatehouseError} `driver.closed` saying what was tried and what happened. */
export type Connect = (handlers: ConnectionHandlers, signal: AbortSignal) => Promise<Connection>;

/** A device that is switched off answers no SYN at all; the kernel alone would wait for minutes. */
const CONNECT_TIMEOUT_MS = 2000;
const KEEP_ALIVE_MS = 10_000;

export const connectTcp =
  (host: string, port: number, clock: Clock): Connect =>
  (handlers, signal) =>
    new Promise((resolve, reject) => {
      const where = `${host}:${port}`;
      // Without TCP_NODELAY a write waits for the acknowledgement of the one before it, up to 40 ms.
      const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
      const settled = () => {
        cancel();
        signal.removeEventListener('abort', onAbort);
      };
      const fail = (reason: string) => {
        settled();
        socket.destroy();
        reject(new GatehouseError('driver.closed', `${where}: ${reason}`));
      };
      const cancel = clock.after(CONNECT_TIMEOUT_MS, () => fail(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
      const onError = (error: Error) => fail(reasonOf(error));
      const onAbort = () => fail('closed');
      signal.addEventListener('abort', onAbort, { once: true });
      socket.once('error', onError);
      socket.once('connect', () => {
        settled();
        socket.off('error', onError);
        let reason = 'closed by the device';
        let ours = false;
        socket.on('error', (error) => {
          reason = reasonOf(error);
        });
        socket.on('data', (chunk) => handlers.data(chunk));
        socket.on('end', () => socket.destroy());
        socket.on('close', () => {
          if (!ours) handlers.closed(`${where}: ${reason}`);
        });
        resolve({
          write: (bytes) => {
            socket.write(bytes);
          },
          close: () => {
            ours = true;
            socket.destroy();
            return Promise.resolve();
          },
        });
      });
    });

/** `serialport` is native and optional: only a site with a serial line needs it, so only such a site loads it. */
export const connectSerial =
  (address: SerialAddress): Connect =>
  async (handlers) => {
    const failed = (error: unknown): GatehouseError =>
      new GatehouseError('driver.closed', `${address.path}: ${reasonOf(error)}`, { cause: error });
    const { SerialPort } = await import('serialport').catch((error: unknown) => {
      throw failed(error);
    });
    const port = new SerialPort({
      path: address.path,
      baudRate: address.baudRate ?? 9600,
      parity: address.parity ?? 'none',
      stopBits: address.stopBits ?? 1,
      dataBits: 8,
      autoOpen: false,
    });
    await new Promise<void>((resolve, reject) => {
      port.open((error) => (error ? reject(failed(error)) : resolve()));
    });
    let reason = 'the port is gone';
    let ours = false;
    port.on('data', (chunk: Buffer) => handlers.data(chunk));
    port.on('error', (error) => {
      reason = reasonOf(error);
    });
    // A port whose write fails closes twice over.
    port.once('close', () => {
      if (!ours) handlers.closed(`${address.path}: ${reason}`);
    });
    return {
      write: (bytes) => {
        port.write(bytes);
      },
      close: () =>
        new Promise((resolve) => {
          ours = true;
          if (port.isOpen) port.close(() => resolve());
          else resolve();
        }),
    };
  };
