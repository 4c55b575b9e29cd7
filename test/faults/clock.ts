/** The wall clock is set, forwards and back, by minutes and by years, while the gateway works. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endCompound } from '../compound.ts';
import { isAlive } from '../launch.ts';
import { startGateway } from '../site.ts';
import { settableClock } from './shim.ts';
import { hold, pick, type Trial } from './trial.ts';
import { createWitness } from './witness.ts';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
/** Where the clock stands, from the true time; a token of the API lives for a year at most. The largest and the way back come first: a slice has only those. */
const OFFSETS = [300 * DAY, 0, -300 * DAY, 0, 5 * MINUTE, -5 * MINUTE, 3 * DAY, -3 * DAY];
const SIZES = { slice: 2, normal: 24, long: 200 };
/** The gateway looks at its clocks every second; a busy machine takes its time. */
const NOTICED_MS = 10_000;
const GOES_ON_MS = 15_000;
const LAST_WORDS = 2000;
/** A step is told to the second; the two clocks are looked at one after the other. */
const TOLERANCE_MS = 1500;

export const clock: Trial = {
  id: 'clock',
  promises: ['R2', 'R3', 'T1', 'T3', 'T4', 'T6'],
  about: 'the wall clock is set forwards and back under load: nobody waits, nothing is lost, nobody is logged out',
  async run({ random, size, say }) {
    const data = mkdtempSync(join(tmpdir(), 'gh-clock-site-'));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(data, { recursive: true, force: true, maxRetries: 5 }));
    stack.defer(() => endCompound(data));
    const wall = stack.use(settableClock());
    const gateway = stack.use(await startGateway({ data, cars: 1000, env: wall.environment }));
    const witness = createWitness(random);
    await witness.introduce(gateway);
    const rest = witness.work(gateway);
    stack.defer(rest);
    let offset = 0;
    let steps = 0;
    let slowest = 0;
    for (let n = 0; n < SIZES[size]; n++) {
      const next = OFFSETS[size === 'slice' || n < OFFSETS.length ? n : pick(random, OFFSETS.length)] ?? 0;
      if (next === offset) continue;
      const delta = next - offset;
      const head = (await gateway.json<{ head: string }>('/status')).head;
      const step = gateway.record(({ name }) => name === 'clock.stepped', head);
      step.catch(() => undefined); // told below
      const before = witness.counts();
      witness.latencies();
      wall.set(next);
      offset = next;
      steps++;
      const told = await Promise.race([step, sleep(NOTICED_MS)]);
      hold('T4', told !== undefined, `a step by ${delta} ms was not recorded`);
      const found = (told.data as { delta: number }).delta;
      hold('T4', Math.abs(found - delta) <= TOLERANCE_MS, `a step by ${delta} ms was recorded as ${found} ms`);
      await sleep(pick(random, 1000));
      const end = performance.now() + GOES_ON_MS;
      const goesOn = () => witness.counts().samples > before.samples && witness.counts().pushes > before.pushes;
      while (!goesOn() && performance.now() < end) await sleep(50);
      hold('T1', goesOn(), () => `nothing was acknowledged after a step by ${delta} ms`);
      slowest = Math.max(slowest, ...witness.latencies());
      hold('R2', isAlive(gateway.pid), () => `the core ended:\n${gateway.text().slice(-LAST_WORDS)}`);
      witness.check(join(data, 'gatehouse.db'));
      const outs = witness.refused().commands.get(401) ?? 0;
      hold('T6', outs === 0, `the guard was logged out by a step of ${delta} ms`);
    }
    hold('T1', slowest <= GOES_ON_MS, `an acknowledgement took ${Math.round(slowest)} ms`);
    await rest();
    const { pushes, samples, commands } = witness.counts();
    say(
      `${steps} steps; acknowledged ${pushes} pushes, ${samples} samples, ${commands} commands; slowest ${Math.round(slowest)} ms`,
    );
  },
};
