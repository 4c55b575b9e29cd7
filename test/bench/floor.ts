/**
 * A worker thread with the least that can turn an event into an order: HTTP in, a raw Modbus frame out, an MQTT broker
 * that acknowledges at once beside it; and the same with two durable commits between. No check, no flow, no read-back.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { Aedes } from 'aedes';
import { encodeTcp } from '../../drivers/modbus/frame.ts';
import { OPEN_ORDER } from './lanes.ts';
import { openBare } from './scratch.ts';

export interface FloorData {
  readonly board: number;
  /** Where the commits go; absent: none. */
  readonly folder?: string;
}
export interface FloorPorts {
  readonly http: number;
  readonly mqtt: number;
}

const HOST = '127.0.0.1';
const HALF_A_SECOND = 5;

function openStore(folder: string): (body: string) => void {
  const db = openBare(folder);
  db.exec('CREATE TABLE IF NOT EXISTS record (pos INTEGER PRIMARY KEY, at INTEGER NOT NULL, data TEXT NOT NULL)');
  const insert = db.prepare('INSERT INTO record (at, data) VALUES (?, ?)');
  return (body) => void insert.run(Date.now(), body);
}

async function runFloor({ board, folder }: FloorData): Promise<FloorPorts> {
  const commit = folder === undefined ? undefined : openStore(folder);
  const line = connect({ host: HOST, port: board, noDelay: true });
  await once(line, 'connect');
  line.resume(); // its confirmations
  let transaction = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      commit?.(body);
      commit?.('{"command":"open","state":"executing"}');
      transaction = (transaction + 1) & 0xffff;
      line.write(encodeTcp({ unit: 1, function: 5, address: OPEN_ORDER, value: HALF_A_SECOND }, transaction));
      response.end();
    });
  });
  const aedes = await Aedes.createBroker();
  const broker = createTcpServer({ noDelay: true }, (socket) => aedes.handle(socket));
  const portOf = async (listening: typeof server | typeof broker) => {
    listening.listen(0, HOST);
    await once(listening, 'listening');
    return (listening.address() as AddressInfo).port;
  };
  return { http: await portOf(server), mqtt: await portOf(broker) };
}

if (parentPort) parentPort.postMessage(await runFloor(workerData as FloorData));
