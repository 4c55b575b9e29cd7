/** A NATS JetStream cluster of three processes on loopback, as platforms run it above many gateways. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './uplink-peers.ts';

export interface Node {
  readonly name: string;
  readonly mqttPort: number;
  readonly natsPort: number;
  /** MQTT connections of other processes it serves now. */
  mqttClients(): Promise<readonly string[]>;
  /** SIGKILL: nothing is said, nothing is saved. */
  kill(): Promise<void>;
  /** Again with what its store had kept. */
  start(): Promise<void>;
}

export interface Cluster extends AsyncDisposable {
  readonly nodes: readonly Node[];
  /** `mqtt://127.0.0.1:…,127.0.0.1:…,127.0.0.1:…` */
  readonly mqttUrl: string;
  /** `nats://…` likewise. */
  readonly natsUrl: string;
}

const READY_MS = 30_000;

/** Resolves once the three have found a leader and answer; a client before that is turned away. */
export async function startCluster(): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), 'gh-cluster-'));
  const names = ['n1', 'n2', 'n3'] as const;
  const ports: { client: number; cluster: number; mqtt: number; monitor: number }[] = [];
  for (const _name of names) {
    ports.push({
      client: await freePort(),
      cluster: await freePort(),
      mqtt: await freePort(),
      monitor: await freePort(),
    });
  }
  const routes = ports.map(({ cluster }) => `nats://127.0.0.1:${cluster}`).join(', ');
  const nodes = names.map((name, index) => {
    const { client = 0, cluster = 0, mqtt = 0, monitor = 0 } = ports[index] ?? {};
    const file = join(directory, `${name}.conf`);
    writeFileSync(
      file,
      [
        `server_name: ${name}`,
        `listen: 127.0.0.1:${client}`,
        `http: 127.0.0.1:${monitor}`,
        `jetstream { store_dir: "${directory}/${name}", max_memory_store: 256MB, max_file_store: 2GB }`,
        `cluster { name: gh, listen: 127.0.0.1:${cluster}, routes: [ ${routes} ] }`,
        `mqtt { listen: 127.0.0.1:${mqtt}, ack_wait: "3s", max_ack_pending: 1000 }`,
      ].join('\n'),
    );
    return node(name, client, mqtt, monitor, file);
  });
  const cluster: Cluster = {
    nodes,
    mqttUrl: `mqtt://${nodes.map(({ mqttPort }) => `127.0.0.1:${mqttPort}`).join(',')}`,
    natsUrl: `nats://${nodes.map(({ natsPort }) => `127.0.0.1:${natsPort}`).join(',')}`,
    async [Symbol.asyncDispose]() {
      for (const one of nodes) await one.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all(nodes.map((one) => one.start()));
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

function node(name: string, natsPort: number, mqttPort: number, monitor: number, file: string): Node {
  let child: ChildProcess | undefined;
  return {
    name,
    natsPort,
    mqttPort,
    async mqttClients() {
      const answer = await fetch(`http://127.0.0.1:${monitor}/connz?limit=5000`);
      const { connections } = (await answer.json()) as { connections: readonly { mqtt_client?: string }[] };
      return connections.flatMap(({ mqtt_client: id }) => (id === undefined ? [] : [id]));
    },
    async kill() {
      const running = child;
      child = undefined;
      if (!running || running.exitCode !== null || running.signalCode !== null) return;
      const gone = once(running, 'exit');
      running.kill('SIGKILL');
      await gone;
    },
    async start() {
      const started = spawn('nats-server', ['-c', file], { stdio: 'ignore' });
      child = started;
      const missing = once(started, 'error').then(([error]) => {
        throw new Error('no nats-server: sudo apt-get install nats-server', { cause: error });
      });
      await Promise.race([inTouchWithLeader(monitor), missing]);
    },
  };
}

/** There is no event for it outside of the process but a line of its log, of which each node has its own. */
async function inTouchWithLeader(monitor: number): Promise<void> {
  for (const deadline = performance.now() + READY_MS; ; await sleep(50)) {
    try {
      const answer = await fetch(`http://127.0.0.1:${monitor}/jsz`, { signal: AbortSignal.timeout(2000) });
      const { meta_cluster: meta } = (await answer.json()) as {
        meta_cluster?: { leader?: string; cluster_size?: number };
      };
      if (meta?.leader && meta.cluster_size === 3) return;
    } catch {
      // not listening yet
    }
    if (performance.now() > deadline) throw new Error('the cluster found no leader');
  }
}
