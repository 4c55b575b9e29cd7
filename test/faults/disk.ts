/** The disk fails under a running gateway: full, broken, read-only; and is sound again some seconds later. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endCompound } from '../compound.ts';
import { isAlive } from '../launch.ts';
import { type Gateway, startGateway } from '../site.ts';
import { journalOnFailingDisk } from './disk-journal.ts';
import { cpuSeconds, flowsRun } from './processes.ts';
import { type Fault, type FaultyDisk, faultyDisk } from './shim.ts';
import { hold, pick, type Trial, type TrialContext } from './trial.ts';
import { createWitness, type Refused, type Witness } from './witness.ts';

const FAULTS: readonly (Fault & { readonly name: string })[] = [
  // What is there can still be removed on a full disk.
  { name: 'full', error: 'ENOSPC', at: ['write', 'create'] },
  { name: 'broken', error: 'EIO' },
  { name: 'read-only', error: 'EROFS' },
  { name: 'broken at the flush', error: 'EIO', at: ['flush'] },
  { name: 'full at the flush', error: 'ENOSPC', at: ['flush'] },
];
const SIZES = { slice: { faults: 2, rounds: 1 }, normal: { faults: 5, rounds: 3 }, long: { faults: 5, rounds: 20 } };
const CURED_MS = 15_000;
/** What was on its way when the disk failed has been answered when nothing more came for so long. */
const QUIET_MS = 400;
const QUIET_WITHIN_MS = 10_000;
const ANSWERS_MS = 5000;
/** `507 buffer_full`, or "not now". */
const REFUSALS = [503, 507];
/** Of one core, beside a load that keeps coming. */
const MOST_CPU = 0.75;
const LAST_WORDS = 2000;

const acknowledged = (witness: Witness) => {
  const { pushes, samples } = witness.counts();
  return { pushes, samples };
};

/** Resolves when both kinds of devices have been answered again. */
async function answeredAgain(witness: Witness, withinMs: number): Promise<boolean> {
  const before = acknowledged(witness);
  for (const end = performance.now() + withinMs; performance.now() < end; await sleep(50)) {
    const now = acknowledged(witness);
    if (now.pushes > before.pushes && now.samples > before.samples) return true;
  }
  return false;
}

/** @returns what has been acknowledged when the last of it has come. @throws Broken if it goes on and on */
async function quiet(witness: Witness, name: string): Promise<ReturnType<typeof acknowledged>> {
  let before = acknowledged(witness);
  for (const end = performance.now() + QUIET_WITHIN_MS; ; ) {
    await sleep(QUIET_MS);
    const now = acknowledged(witness);
    if (now.pushes === before.pushes && now.samples === before.samples) return now;
    const accepted = `${now.pushes - before.pushes} pushes, ${now.samples - before.samples} samples`;
    hold('R1', performance.now() < end, `disk ${name}: ${accepted} were accepted`);
    before = now;
  }
}

function checkRefusals({ pushes }: Refused, name: string): void {
  const told = [...pushes].map(([status, count]) => `${count} × ${status || 'no answer'}`).join(', ');
  for (const status of pushes.keys())
    hold('B2', status === 0 || REFUSALS.includes(status), `disk ${name}: pushes were answered ${told}`);
}

async function strike(
  gateway: Gateway,
  disk: FaultyDisk,
  witness: Witness,
  fault: Fault & { readonly name: string },
  { random, say }: TrialContext,
): Promise<void> {
  const alive = () =>
    hold('R2', isAlive(gateway.pid), () => `disk ${fault.name}: the core ended\n${gateway.text().slice(-LAST_WORDS)}`);
  witness.refused();
  const struckBefore = disk.struck();
  disk.set({ ...fault, after: pick(random, 6) });
  const before = await quiet(witness, fault.name);
  const cpu = cpuSeconds(gateway.pid);
  const began = performance.now();
  await sleep(1200 + pick(random, 1200));
  alive();
  const seconds = (performance.now() - began) / 1000;
  const used = (cpuSeconds(gateway.pid) - cpu) / seconds;
  const after = acknowledged(witness);
  const struck = disk.struck() - struckBefore;
  hold('R1', after.pushes === before.pushes, `disk ${fault.name}: pushes were accepted`);
  hold('R1', after.samples === before.samples, `disk ${fault.name}: samples were accepted`);
  hold('R7', used <= MOST_CPU, `disk ${fault.name}: the core used ${Math.round(used * 100)} % of a processor`);
  const answer = await gateway
    .api('/status', { signal: AbortSignal.timeout(ANSWERS_MS) })
    .then((response) => response.status)
    .catch((error: unknown) => String(error));
  hold('R7', answer === 200, `disk ${fault.name}: /status answered ${answer}`);
  const refused = witness.refused();
  checkRefusals(refused, fault.name);
  disk.set({});
  const cured = performance.now();
  const again = await answeredAgain(witness, CURED_MS);
  alive();
  hold('R2', again, () => `disk ${fault.name}: not working again ${CURED_MS / 1000} s after the cure`);
  witness.check(join(gateway.data, 'gatehouse.db'));
  const told = [...refused.pushes].map(([status, count]) => `${count} × ${status || 'no answer'}`).join(', ');
  say(
    `disk ${fault.name}: ${struck} operations failed; pushes answered ${told}; processor ${Math.round(used * 100)} %; working again after ${Math.round(performance.now() - cured)} ms`,
  );
}

export const disk: Trial = {
  id: 'disk',
  promises: ['R1', 'R2', 'R7', 'R9', 'B2'],
  about:
    'the disk is full, broken or read-only for a while: nothing is accepted, nothing is lost, no restart is needed',
  async run(context) {
    const { random, size } = context;
    const { faults, rounds } = SIZES[size];
    await journalOnFailingDisk(FAULTS.slice(0, faults), context);
    const data = mkdtempSync(join(tmpdir(), 'gh-disk-site-'));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(data, { recursive: true, force: true, maxRetries: 5 }));
    stack.defer(() => endCompound(data));
    const faulty = stack.use(faultyDisk(data));
    const witness = createWitness(random);
    const gateway = stack.use(await startGateway({ data, env: faulty.environment }));
    await witness.introduce(gateway);
    const rest = witness.work(gateway);
    stack.defer(rest);
    hold('R1', await answeredAgain(witness, CURED_MS), 'no device was ever answered');
    if (size !== 'slice') await flowsRun(gateway);
    for (let round = 0; round < rounds; round++)
      for (const fault of FAULTS.slice(0, faults)) await strike(gateway, faulty, witness, fault, context);
    await rest();
    if (size !== 'slice') await flowsRun(gateway);
    hold('R2', (await gateway.stop()) === 0, () => `it did not stop in order:\n${gateway.text().slice(-LAST_WORDS)}`);
    witness.check(join(data, 'gatehouse.db'));
  },
};
