/** The plug is pulled: at any moment, with any part of what was not flushed on the disk. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { type Ack, checkJournal } from './journal-acks.ts';
import { type Image, imageAt, type Placed, readPlaced, readTrace, type Step, someLuck, writeImage } from './power.ts';
import { traced } from './shim.ts';
import { Broken, hold, pick, type Trial, type TrialContext } from './trial.ts';

/** Lives of the process, writing rounds of each, cuts in each. */
const SIZES = {
  slice: { lives: 2, rounds: 25, cuts: 6 },
  normal: { lives: 8, rounds: 80, cuts: 18 },
  long: { lives: 40, rounds: 120, cuts: 25 },
};
const CHILD_MS = 120_000;
const SMALLEST_CAP = 600_000;
const run = promisify(execFile);

interface Life {
  readonly before: Placed;
  readonly steps: readonly Step[];
}

/** Runs a child on the watched disk to its end. */
async function trace(directory: string, script: string, ...args: string[]): Promise<Life> {
  const before = readPlaced(directory);
  const side = mkdtempSync(join(tmpdir(), 'gh-trace-'));
  try {
    const file = join(side, 'trace');
    const child = fileURLToPath(new URL(script, import.meta.url));
    await run(process.execPath, ['--disable-warning=ExperimentalWarning', child, directory, ...args], {
      env: { ...process.env, ...traced(directory, file) },
      timeout: CHILD_MS,
    });
    return { before, steps: readTrace(file) };
  } finally {
    rmSync(side, { recursive: true, force: true });
  }
}

/** A directory with this image, for as long as `work` takes. */
async function within<T>(image: Image, work: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'gh-cut-'));
  try {
    writeImage(image, directory);
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

const acksBefore = (steps: readonly Step[], cut: number): string[] =>
  Buffer.concat(steps.slice(0, cut).flatMap(({ what, data }) => (what === 'ack' ? [data] : [])))
    .toString()
    .split('\n')
    .slice(0, -1);

/** Rows of the bare database that were acknowledged and are gone after a cut behind the last acknowledgement. */
function lostBy(synchronous: string, random: () => number): Promise<number> {
  return within(new Map(), async (directory) => {
    const { before, steps } = await trace(directory, './bare-child.ts', synchronous);
    const acked = acksBefore(steps, steps.length).length;
    return within(imageAt(before, steps, steps.length, 'none', random), (left) => {
      const db = new Database(join(left, 'bare.db'));
      try {
        return acked - (db.prepare<[], { n: number }>('SELECT count(*) AS n FROM row').get()?.n ?? 0);
      } catch {
        return acked; // not even the table is there
      } finally {
        db.close();
      }
    });
  });
}

/** A harness that cannot fail proves nothing: SQLite's default must lose rows here, and synchronous=FULL none. */
async function calibrate({ random, say }: TrialContext): Promise<void> {
  const normal = await lostBy('NORMAL', random);
  const full = await lostBy('FULL', random);
  say(`SQLite alone, 40 rows acknowledged: synchronous=NORMAL loses ${normal}, FULL loses ${full}`);
  if (normal === 0 || full > 0)
    throw new Error('the simulated disk does not tell a flushed write from one that is not');
}

/** Half of the cuts right behind an acknowledgement, where a loss would show; some while pages are moved; any others. */
function chooseCut(steps: readonly Step[], random: () => number): number {
  const kind = pick(random, 4);
  const wanted = steps.flatMap(({ what, path }, index) =>
    (kind < 2 && what === 'ack') || (kind === 2 && path === 'gatehouse.db' && what !== 'flushed') ? [index + 1] : [],
  );
  return wanted[pick(random, wanted.length)] ?? pick(random, steps.length + 1);
}

/** The database is gone altogether, or empty; or the identity is. Numbers must not come again. */
async function checkDamage(image: Image, acks: readonly Ack[]): Promise<void> {
  const without = (name: string) => new Map([...image].filter(([path]) => !path.startsWith(name)));
  await within(without('gatehouse.db'), (directory) => checkJournal(directory, acks, true));
  await within(new Map([...without('gatehouse.db'), ['gatehouse.db', Buffer.alloc(0)]]), (directory) =>
    checkJournal(directory, acks, true),
  );
  await within(without('identity.json'), (directory) => checkJournal(directory, acks));
}

export const powerCut: Trial = {
  id: 'power-cut',
  promises: ['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R8'],
  about: 'everything not flushed is lost, at any moment, also while starting again',
  async run(context) {
    const { random, size, say } = context;
    await calibrate(context);
    const { lives, rounds, cuts } = SIZES[size];
    let image: Image = new Map();
    let acks: Ack[] = [];
    let slowest = 0;
    let done = 0;
    let gaps = 0;
    for (let life = 0; life < lives; life++) {
      const seed = String(pick(random, 2 ** 31));
      // In every other life records have to go to make room for new ones.
      const cap = String(life % 2 === 0 ? 0 : SMALLEST_CAP + pick(random, SMALLEST_CAP));
      const { before, steps } = await within(image, (directory) =>
        trace(directory, './journal-child.ts', seed, String(rounds), cap),
      );
      let next = { image, acks };
      for (let n = 0; n < cuts; n++) {
        const cut = chooseCut(steps, random);
        const luck = someLuck(random);
        const left = imageAt(before, steps, cut, luck, random);
        const known = [...acks, ...acksBefore(steps, cut).map((line) => JSON.parse(line) as Ack)];
        const where = `life ${life + 1}, cut before step ${cut} of ${steps.length} (${steps[cut]?.what ?? 'end'} ${steps[cut]?.path ?? ''}), luck ${luck}`;
        next = await within(left, async (directory) => {
          const opened = await checkJournal(directory, known).catch((error: unknown) => {
            if (error instanceof Broken) throw new Broken(error.promise, `${error.detail} [${where}]`);
            throw new Broken('R8', `the journal does not open: ${String(error)} [${where}]`);
          });
          slowest = Math.max(slowest, opened.openMs);
          gaps = Math.max(gaps, opened.gaps);
          return { image: left, acks: known };
        });
        done++;
      }
      if (life === lives - 1) await checkDamage(next.image, next.acks);
      ({ image, acks } = next);
    }
    hold('R2', acks.length > 0, 'nothing was acknowledged at all');
    say(
      `${done} cuts in ${lives} lives, ${acks.length} acknowledged units, ${gaps} gap records, slowest start ${Math.round(slowest)} ms`,
    );
  },
};
