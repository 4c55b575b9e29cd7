/**
 * A long way between two ends of TCP, in a process of its own: whatever comes in at one end leaves at the other after half
 * a round trip, in order and as fast as it came. No privileges and no kernel module are needed, and both sides of a
 * comparison go the same way. Run as a program: `far-line.ts <port beyond> <ms of a round trip>`; it prints its own port.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

const HOST = '127.0.0.1';
/** On its way in one direction; a line has a bandwidth too, and this is far beyond what the bars ask for. */
const MOST_BYTES = 64 << 20;

export interface FarLine extends AsyncDisposable {
  readonly port: number;
}

export async function openFarLine(beyond: number, roundTripMs: number): Promise<FarLine> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), `${beyond}`, `${roundTripMs}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    port: Number(said.toString()),
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** Passes on what `from` says, later. */
function pass(from: Socket, to: Socket, ms: number): void {
  const way: { readonly due: number; readonly chunk: Buffer | undefined }[] = [];
  let bytes = 0;
  let waits = false;
  const arrive = () => {
    waits = false;
    for (let next = way[0]; next && next.due <= performance.now(); next = way[0]) {
      way.shift();
      if (!next.chunk) {
        to.end();
        return;
      }
      bytes -= next.chunk.length;
      to.write(next.chunk);
    }
    if (bytes < MOST_BYTES) from.resume();
    wait();
  };
  const wait = () => {
    const [next] = way;
    if (!next || waits) return;
    waits = true;
    setTimeout(arrive, Math.max(0, next.due - performance.now()));
  };
  const leave = (chunk: Buffer | undefined) => {
    way.push({ due: performance.now() + ms, chunk });
    wait();
  };
  from.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes >= MOST_BYTES) from.pause();
    leave(chunk);
  });
  from.on('end', () => leave(undefined));
}

async function run(beyond: number, roundTripMs: number): Promise<void> {
  const server = createServer((near) => {
    const far = connect(beyond, HOST);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
      pass(one, other, roundTripMs / 2);
    }
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await run(Number(process.argv[2]), Number(process.argv[3]));
