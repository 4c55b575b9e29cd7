/** Another program fills the disk to the last byte: what is urgent still finds room, and all is as before when it goes. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlarmChange, JournalRecord } from '../../runtime/contracts/record.ts';
import { BALLAST_BYTES } from '../../runtime/storage/ballast.ts';
import { endCompound } from '../compound.ts';
import { isAlive } from '../launch.ts';
import { type Gateway, startGateway } from '../site.ts';
import { type FaultyDisk, faultyDisk } from './shim.ts';
import { hold, pick, type Trial, type TrialContext } from './trial.ts';
import { createWitness, type Witness } from './witness.ts';

const ROUNDS = { slice: 1, normal: 4, long: 40 };
const TOTAL_BYTES = 4 * 2 ** 30;
const ROOM_BYTES = 2 ** 30;
/** The gateway looks at the disk every five seconds; a busy machine takes its time. */
const NOTICED_MS = 30_000;
const LAST_WORDS = 2000;

async function comes(promise: string, what: string, look: () => boolean | Promise<boolean>): Promise<number> {
  const began = performance.now();
  for (; !(await look()); await sleep(100)) hold(promise, performance.now() - began < NOTICED_MS, what);
  return performance.now() - began;
}

const isAlarm =
  (...changes: AlarmChange['change'][]) =>
  (record: JournalRecord) =>
    record.kind === 'alarm' && record.name === 'storageFull' && changes.includes((record.data as AlarmChange).change);

const hasBallast = (data: string) => statSync(join(data, 'ballast'), { throwIfNoEntry: false })?.size === BALLAST_BYTES;

async function fill(
  gateway: Gateway,
  disk: FaultyDisk,
  witness: Witness,
  turn: string,
  { random, say }: TrialContext,
): Promise<void> {
  await comes('B2', 'no ballast is kept', () => hasBallast(gateway.data));
  witness.refused();
  const { head } = await gateway.json<{ head: string }>('/status');
  disk.limit(pick(random, 40_000), TOTAL_BYTES);
  const pushes = new Map<number, number>();
  const refused = () => {
    for (const [status, count] of witness.refused().pushes) pushes.set(status, (pushes.get(status) ?? 0) + count);
    return pushes.size > 0;
  };
  // Where the database has room inside, refusing is enough, and the ballast stays for what is urgent.
  const noticed = await comes('B2', 'a full disk is not noticed', () => refused() || !hasBallast(gateway.data));
  // A command is of the lane that is never dropped; the guard's own tap, and its end.
  const opened = await gateway
    .open('gate-east-in', `full-${turn}`)
    .then(({ state }) => state)
    .catch((error: unknown) => String(error));
  hold('B2', opened === 'succeeded', () => `a gate on a full disk: ${opened}`);
  await gateway.record(isAlarm('raised', 'repeated'), head); // nobody has acknowledged the one before
  hold('R2', isAlive(gateway.pid), () => `the core ended:\n${gateway.text().slice(-LAST_WORDS)}`);
  refused();
  const ballast = hasBallast(gateway.data) ? 'kept' : 'used';
  for (const status of pushes.keys())
    hold('B2', [0, 503, 507].includes(status), () => `pushes were answered ${JSON.stringify([...pushes])}`);
  disk.limit(ROOM_BYTES, TOTAL_BYTES);
  const before = witness.counts();
  const again = await comes('R2', 'not working again when there is room', () => {
    const now = witness.counts();
    return now.pushes > before.pushes && now.samples > before.samples;
  });
  await gateway.record(isAlarm('returned'), head);
  witness.check(join(gateway.data, 'gatehouse.db'));
  const told = [...pushes].map(([status, count]) => `${count} × ${status || 'no answer'}`).join(', ') || 'none';
  say(
    `full: noticed after ${Math.round(noticed)} ms, ballast ${ballast}, pushes refused: ${told}; working again after ${Math.round(again)} ms`,
  );
}

export const diskFills: Trial = {
  id: 'disk-fills',
  promises: ['R2', 'R7', 'B2'],
  about: 'another program fills the disk to the last byte: what is urgent still finds room',
  async run(context) {
    const data = mkdtempSync(join(tmpdir(), 'gh-fill-site-'));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(data, { recursive: true, force: true, maxRetries: 5 }));
    stack.defer(() => endCompound(data));
    const disk = stack.use(faultyDisk(data));
    disk.limit(ROOM_BYTES, TOTAL_BYTES);
    const witness = createWitness(context.random);
    const gateway = stack.use(await startGateway({ data, env: disk.environment }));
    await witness.introduce(gateway);
    const rest = witness.work(gateway, { guard: false });
    stack.defer(rest);
    for (let round = 0; round < ROUNDS[context.size]; round++)
      await fill(gateway, disk, witness, String(round), context);
  },
};
