/** Real Node-RED in the test's own process, with our palette and a `probe` that keeps what it is handed. */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Message, NodeStatus } from '../red.ts';
import type { StandIn } from './gateway-stand-in.fixture.ts';
import { Inbox } from './inbox.fixture.ts';

interface RuntimeNode {
  receive(message: Message): void;
  on(event: 'input', listener: (message: Message) => void): void;
  readonly id: string;
}

interface WholeRed {
  init(server: object, settings: object): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly events: { on(name: string, listener: (event: never) => void): void };
  readonly nodes: {
    createNode(node: object, definition: object): void;
    getNode(id: string): RuntimeNode | null;
    registerType(set: string, type: string, create: (this: RuntimeNode, definition: object) => void): void;
  };
  readonly runtime: { readonly flows: { setFlows(options: object): Promise<unknown> } };
}

export interface FlowEntry {
  readonly id: string;
  readonly type: string;
  readonly [property: string]: unknown;
}

export interface Rig extends AsyncDisposable {
  /** Replaces all flows; the nodes stand on the tab `lane`. Resolves once they run. */
  deploy(nodes: readonly FlowEntry[], type?: 'full' | 'nodes'): Promise<void>;
  /** Hands a message to a node, as a wire would. */
  send(node: string, message: Message): void;
  /** What reached a probe. */
  probe(id: string): Inbox<Message>;
  /** Every status a node has shown, with the time. */
  statuses(id: string): Inbox<NodeStatus & { readonly at: number }>;
}

const palette = fileURLToPath(new URL('../derived', import.meta.url));

export async function startRig(directory: string, gateway: StandIn): Promise<Rig> {
  const red = createRequire(import.meta.url)('node-red') as WholeRed;
  const probes = new Map<string, Inbox<Message>>();
  const shown = new Map<string, Inbox<NodeStatus & { readonly at: number }>>();
  const inboxOf = <T>(map: Map<string, Inbox<T>>, id: string): Inbox<T> => {
    const inbox = map.get(id) ?? new Inbox<T>();
    map.set(id, inbox);
    return inbox;
  };
  const started = new Inbox<number>();
  let deploys = 0;
  red.init(createServer(), {
    userDir: directory,
    flowFile: 'flows.json',
    nodesDir: [palette],
    httpAdminRoot: false,
    httpNodeRoot: false,
    lang: 'zh-CN',
    credentialSecret: 'only in this test',
    logging: { console: { level: 'off' } },
    telemetry: { enabled: false, updateNotification: false },
    externalModules: { autoInstall: false },
    gatehouse: { socket: gateway.socket, token: gateway.token, directory },
  });
  red.events.on('flows:started', () => {
    deploys += 1;
    started.put(deploys);
  });
  red.events.on('node-status', ({ id, status }: { id: string; status: NodeStatus }) =>
    inboxOf(shown, id).put({ ...status, at: performance.now() }),
  );
  red.nodes.registerType('test/probe', 'probe', function create(this: RuntimeNode, definition: object) {
    red.nodes.createNode(this, definition);
    this.on('input', (message) => inboxOf(probes, this.id).put(message));
  });
  await red.start();
  await started.find(() => true);

  return {
    async deploy(nodes, type = 'full') {
      const running = started.next();
      const tab = { id: 'lane', type: 'tab', label: 'lane' };
      const flows = [tab, ...nodes.map((node) => ({ z: 'lane', x: 100, y: 100, wires: [], ...node }))];
      await red.runtime.flows.setFlows({ flows: { flows }, deploymentType: type });
      await running;
    },
    send(id, message) {
      const node = red.nodes.getNode(id);
      if (!node) throw new Error(`No node ${id}`);
      node.receive(message);
    },
    probe: (id) => inboxOf(probes, id),
    statuses: (id) => inboxOf(shown, id),
    async [Symbol.asyncDispose]() {
      await red.stop();
    },
  };
}
