/** Every flush takes 200 ms: acknowledgements wait for it, and nothing else does. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endCompound } from '../compound.ts';
import { isAlive } from '../launch.ts';
import { type Gateway, startGateway } from '../site.ts';
import type { LoopDelay } from './loop-probe.ts';
import { faultyDisk } from './shim.ts';
import { hold, type Trial } from './trial.ts';
import { createWitness } from './witness.ts';

const FLUSH_MS = 200;
const SECONDS = { slice: 3, normal: 30, long: 300 };
/** A timer may come a little early, and the clocks of two processes are read at different moments. */
const TOLERANCE_MS = 10;
const MOST_DELAY_MS = 10;
const BUSY_FACTOR = 1.5;
/** What a start leaves to do: the flow process comes up beside. */
const SETTLE_MS = 6000;
const CURED_MS = 10_000;
const PROBE_MS = 5000;

async function loopDelay(gateway: Gateway, file: string): Promise<LoopDelay> {
  rmSync(file, { force: true });
  process.kill(gateway.pid, 'SIGUSR2');
  for (const end = performance.now() + PROBE_MS; !existsSync(file); await sleep(20))
    if (performance.now() > end) throw new Error('the core did not say how late its timers come');
  return JSON.parse(readFileSync(file, 'utf8')) as LoopDelay;
}

export const slowDisk: Trial = {
  id: 'slow-disk',
  promises: ['R1', 'R2', 'R7'],
  about: `every flush takes ${FLUSH_MS} ms: acknowledgements wait for it, the main thread does not`,
  async run({ size, random, say }) {
    const folder = mkdtempSync(join(tmpdir(), 'gh-slow-'));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
    const data = mkdtempSync(join(folder, 'data-'));
    stack.defer(() => endCompound(data));
    const disk = stack.use(faultyDisk(data));
    const probe = join(folder, 'probe.json');
    const env = {
      ...disk.environment,
      GATEHOUSE_FAULTS_PROBE: probe,
      NODE_OPTIONS: `--import=${new URL('./loop-probe.ts', import.meta.url).href}`,
    };
    const gateway = stack.use(await startGateway({ data, cars: 1000, env }));
    const witness = createWitness(random);
    await witness.introduce(gateway);
    if (size !== 'slice') await sleep(SETTLE_MS);
    const rest = witness.work(gateway);
    stack.defer(rest);
    await loopDelay(gateway, probe);
    await sleep((SECONDS[size] * 1000) / 3);
    const sound = await loopDelay(gateway, probe);
    disk.set({ flushMs: FLUSH_MS });
    await sleep(1000); // what was on its way before has been answered
    witness.latencies();
    await loopDelay(gateway, probe);
    const flushes = disk.flushes();
    await sleep(SECONDS[size] * 1000);
    const delay = await loopDelay(gateway, probe);
    const waits = witness.latencies().toSorted((a, b) => a - b);
    const fastest = waits[0] ?? 0;
    hold('R2', waits.length > 0, 'nothing was acknowledged');
    hold(
      'R1',
      fastest >= FLUSH_MS - TOLERANCE_MS,
      `an acknowledgement came after ${fastest.toFixed(1)} ms, before a flush of ${FLUSH_MS} ms can have ended`,
    );
    say(
      `${disk.flushes() - flushes} flushes; acknowledged after ${Math.round(fastest)} ms at least, ${Math.round(waits[Math.floor(waits.length / 2)] ?? 0)} ms in the middle (${waits.length})`,
    );
    say(
      `main thread late by ${delay.p50.toFixed(1)} ms in the middle, p99 ${delay.p99.toFixed(1)} ms, most ${delay.max.toFixed(1)} ms; on the sound disk before p99 ${sound.p99.toFixed(1)} ms`,
    );
    // A machine that is busy with other things is late by itself; what counts is what the disk adds.
    const most = Math.max(MOST_DELAY_MS, BUSY_FACTOR * sound.p99);
    hold('R7', size === 'slice' || delay.p99 <= most, `the main thread was late by ${delay.p99.toFixed(1)} ms (p99)`);
    disk.set({});
    await sleep(CURED_MS / 10);
    hold('R2', isAlive(gateway.pid), 'the core ended');
    await rest();
    witness.check(join(data, 'gatehouse.db'));
  },
};
