/**
 * The flow process: Node-RED with our nodes and the installer's flows, supervised by the core (supervisor.ts). It knows
 * the gateway only by its API socket. Started with `node --permission`: it can read code, write its own folder, and
 * start nothing.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { watchContexts } from './context-weight.ts';
import { BEAT_EVERY_MS, type FromChild, idleReasons, RSS_LIMIT, type StartMessage, type ToChild } from './messages.ts';
import { loadNodeRed, type NodeRed, type RuntimeEvent } from './node-red.ts';
import { EDITOR_ROOT, flowSettings } from './settings.ts';
import { noteStart, takeBusiest, traceNodes } from './trace.ts';

const say = (message: FromChild): void => {
  if (process.connected) process.send?.(message);
};

/**
 * Ends this process when its parent is gone, from a thread of its own: a looping main thread sees no `disconnect`.
 * Only where the kernel cannot do it (no setpriv), because a worker is one more right to give away.
 */
function guardFromWorker(parent: number): void {
  const code = `setInterval(() => { if (process.ppid !== ${parent}) process.kill(process.pid, 'SIGKILL'); }, 500);`;
  new Worker(code, { eval: true, execArgv: [] }).unref();
}

/** Tells the core whether flows run; a deploy from the editor may change it at any time. */
function reportFlows(red: NodeRed): void {
  red.events.on('flows:started', () => {
    noteStart();
    say({ is: 'flows', running: true });
  });
  red.events.on('runtime-event', ({ id, payload }: RuntimeEvent) => {
    const reason = idleReasons.find((known) => known === payload?.error);
    if (id !== 'runtime-state' || reason === undefined) return;
    const detail = payload?.types?.join(', ') ?? (payload?.modules ? JSON.stringify(payload.modules) : '');
    say({ is: 'flows', running: false, reason, detail, ...(payload?.types ? { types: payload.types } : {}) });
  });
}

/** The editor's server: in service nothing listens, however the flows are written. */
function createEditor(red: NodeRed, path: string) {
  const sockets = new Set<Socket>();
  const server = createServer((request: IncomingMessage & { originalUrl?: string; baseUrl?: string }, response) => {
    const url = request.url ?? '/';
    if (url !== EDITOR_ROOT && !url.startsWith(`${EDITOR_ROOT}/`) && !url.startsWith(`${EDITOR_ROOT}?`)) {
      response.writeHead(404).end();
      return;
    }
    // What Express's `use` does for a mounted application.
    request.originalUrl = url;
    request.baseUrl = EDITOR_ROOT;
    const rest = url.slice(EDITOR_ROOT.length);
    request.url = rest.startsWith('/') ? rest : `/${rest}`;
    red.httpAdmin(request, response as ServerResponse);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const open = () => {
    if (server.listening) return say({ is: 'editor', open: true });
    rmSync(path, { force: true });
    server.once('error', (error) => say({ is: 'editor', open: false, error: error.message }));
    server.listen(path, () => {
      chmodSync(path, 0o600);
      say({ is: 'editor', open: true });
    });
  };
  const close = () => {
    // Called back with an error when it was not open, which is what was wished.
    server.close(() => say({ is: 'editor', open: false }));
    for (const socket of sockets) socket.destroy(); // websockets too: a closed maintenance window means closed
  };
  return { server, open, close };
}

/** Node-RED runs no flow while a type is missing, even where only a tab that is off has it. */
function standIn(red: NodeRed, types: readonly string[]): void {
  for (const type of types) {
    red.nodes.registerType('gatehouse', type, function create(definition) {
      red.nodes.createNode(this, definition);
    });
  }
}

async function run(start: StartMessage, red: NodeRed): Promise<ReturnType<typeof createEditor>> {
  const editor = createEditor(red, start.editorSocket);
  red.init(
    editor.server,
    flowSettings(start, contexts.storage, (line) => process.stdout.write(`${line}\n`)),
  );
  reportFlows(red);
  standIn(red, start.standIns);
  await red.start();
  return editor;
}

let editor: Awaited<ReturnType<typeof run>> | undefined;
let editorWanted = false;
const red = loadNodeRed();
const ending = traceNodes();
const contexts = watchContexts();

async function leave(): Promise<void> {
  ending.forgetExit();
  editor?.close();
  await red.stop();
  process.exit(0);
}

process.on('message', (message: ToChild) => {
  switch (message.do) {
    case 'start':
      run(message, red).then(
        (started) => {
          editor = started;
          if (editorWanted) editor.open();
        },
        (error: unknown) => {
          say({ is: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
          process.exit(1);
        },
      );
      break;
    case 'editor':
      editorWanted = message.open;
      if (message.open) editor?.open();
      else if (editor) editor.close();
      else say({ is: 'editor', open: false });
      break;
    case 'reload':
      red.runtime.flows.setFlows({ deploymentType: 'reload' }).catch(() => {}); // Node-RED has logged why
      break;
    case 'stop':
      void leave();
  }
});
process.on('disconnect', () => process.exit(0)); // the core is gone
process.on('SIGTERM', () => void leave());
process.on('SIGINT', () => {}); // Ctrl-C reaches the whole group; the core decides when we end
if (process.argv[2] === '--guard') guardFromWorker(Number(process.argv[3]));

let worked = performance.eventLoopUtilization();

function beat(): void {
  const now = performance.eventLoopUtilization();
  const busy = performance.eventLoopUtilization(now, worked).utilization;
  worked = now;
  const rss = process.memoryUsage.rss();
  const busiest = takeBusiest();
  const heaviest = rss > RSS_LIMIT ? contexts.heaviest() : undefined;
  say({ is: 'beat', rss, busy, ...(busiest ? { busiest } : {}), ...(heaviest ? { heaviest } : {}) });
}
const heart = setInterval(beat, BEAT_EVERY_MS);
process.once('exit', () => clearInterval(heart));
