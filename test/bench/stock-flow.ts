/**
 * What an installer would build today: stock Node-RED with an MQTT node and the SQLite node, one row for each message.
 * The SQLite node is no part of this product: it is fetched from the npm registry when it is asked for, and its driver
 * compiled, which takes a C++ compiler and a minute or two.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { freePort, HOST, owned } from './brokers.ts';

const SQLITE_NODE = 'node-red-node-sqlite@1.1.1';
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache/gatehouse-bench', `${SQLITE_NODE}-${process.version}`);
const INSTALL_MS = 600_000;
const STARTED_MS = 60_000;
/** Named by the readers of the flow's rows. */
const TABLE = 'CREATE TABLE ev (seq INTEGER PRIMARY KEY, ts INTEGER, n INTEGER, topic TEXT, body TEXT)';

/** Node's own headers where they lie beside its binary, as npm's packages of Node have them. */
function headers(): Readonly<Record<string, string>> {
  const folder = dirname(dirname(process.execPath));
  return existsSync(join(folder, 'include/node/node_api.h')) ? { npm_config_nodedir: folder } : {};
}

/** @returns the `node_modules` with the SQLite node. @throws when it cannot be fetched or compiled */
function sqliteNode(): string {
  const modules = join(CACHE, 'node_modules');
  if (existsSync(modules)) return modules;
  console.log(`  installing ${SQLITE_NODE} for the comparison, its driver is compiled`);
  const fresh = `${CACHE}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  writeFileSync(join(fresh, 'package.json'), '{"private":true}\n');
  const args = ['install', '--no-audit', '--no-fund', '--no-package-lock', SQLITE_NODE];
  const { status, stdout, stderr } = spawnSync('npm', args, {
    cwd: fresh,
    env: { ...process.env, ...headers() },
    encoding: 'utf8',
    timeout: INSTALL_MS,
  });
  if (status !== 0) throw new Error(`${SQLITE_NODE} could not be installed:\n${stdout}${stderr}`.slice(0, 4000));
  // npm says nothing when a script it does not know was left out.
  createRequire(join(fresh, 'package.json'))('sqlite3');
  renameSync(fresh, CACHE);
  return modules;
}

export interface StockFlow extends AsyncDisposable {
  /** Rows there are. */
  count(): number;
  /** Which messages are among them, by their `n`. */
  stored(): ReadonlySet<number>;
  /** kill -9, and a new start over the same files. */
  killAndRestart(): Promise<void>;
}

/** @param journal mode of its database file: `delete` as created, or `wal` */
export async function startStockFlow(folder: string, broker: number, journal: 'delete' | 'wal'): Promise<StockFlow> {
  const modules = sqliteNode();
  const file = join(folder, 'ev.db');
  const db = new Database(file);
  db.pragma(`journal_mode = ${journal}`);
  db.exec(TABLE);
  const uiPort = await freePort();
  writeFileSync(join(folder, 'flows.json'), JSON.stringify(flow(broker, file)));
  writeFileSync(
    join(folder, 'settings.cjs'),
    `module.exports = { uiPort: ${uiPort}, uiHost: '${HOST}', flowFile: 'flows.json', credentialSecret: false, telemetry: { enabled: false }, logging: { console: { level: 'info' } } };\n`,
  );
  writeFileSync(join(folder, 'package.json'), '{"private":true,"dependencies":{"node-red-node-sqlite":"*"}}\n');
  symlinkSync(modules, join(folder, 'node_modules'));
  let running = await startNodeRed(folder);
  /** The writer may hold the file for a moment. */
  const read = <T>(look: () => T): T => {
    for (const until = performance.now() + STARTED_MS; ; ) {
      try {
        return look();
      } catch (error) {
        if (!/locked|busy/.test(String(error)) || performance.now() > until) throw error;
      }
    }
  };
  const rows = db.prepare<[], number>('SELECT count(*) FROM ev').pluck();
  const numbers = db.prepare<[], number>('SELECT DISTINCT n FROM ev').pluck();
  return {
    count: () => read(() => rows.get() ?? 0),
    stored: () => new Set(read(() => numbers.all())),
    async killAndRestart() {
      await running[Symbol.asyncDispose]();
      running = await startNodeRed(folder);
    },
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      db.close();
    },
  };
}

async function startNodeRed(folder: string): Promise<AsyncDisposable> {
  const red = createRequire(import.meta.url).resolve('node-red/red.js');
  const child: ChildProcess = spawn(process.execPath, [red, '-u', folder, '-s', join(folder, 'settings.cjs')], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const running = owned(child);
  let text = '';
  const connected = new Promise<void>((resolve, reject) => {
    const hear = (chunk: string) => {
      text = (text + chunk).slice(-20_000);
      if (/Connected to broker/.test(text)) resolve();
    };
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', hear);
    void once(child, 'exit').then(() => reject(new Error(`Node-RED ended:\n${text}`)));
    setTimeout(() => reject(new Error(`Node-RED did not start:\n${text}`)), STARTED_MS).unref();
  });
  try {
    await connected;
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
  connected.catch(() => undefined);
  return running;
}

/** As the editor makes it, but for a session the broker keeps: the kinder setting for a restart. */
function flow(broker: number, file: string): object[] {
  const params =
    'msg.params = { $ts: Date.now(), $n: msg.payload.n, $topic: msg.topic, $body: JSON.stringify(msg.payload) };\nreturn msg;';
  return [
    { id: 'tab', type: 'tab', label: 'history' },
    {
      id: 'broker',
      type: 'mqtt-broker',
      broker: HOST,
      port: String(broker),
      clientid: 'history',
      autoConnect: true,
      usetls: false,
      protocolVersion: '4',
      keepalive: '60',
      cleansession: false,
      autoUnsubscribe: false,
    },
    { id: 'file', type: 'sqlitedb', db: file, mode: 'RWC' },
    {
      id: 'in',
      type: 'mqtt in',
      z: 'tab',
      topic: '#',
      qos: '1',
      datatype: 'json',
      broker: 'broker',
      nl: false,
      rap: true,
      rh: 0,
      inputs: 0,
      wires: [['row']],
    },
    { id: 'row', type: 'function', z: 'tab', func: params, outputs: 1, wires: [['insert']] },
    {
      id: 'insert',
      type: 'sqlite',
      z: 'tab',
      mydb: 'file',
      sqlquery: 'prepared',
      sql: 'INSERT INTO ev (ts, n, topic, body) VALUES ($ts, $n, $topic, $body)',
      wires: [[]],
    },
  ];
}
