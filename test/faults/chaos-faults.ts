/** Makes happen what the plan says, and keeps a book on what was wrong when. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { escaped, runs } from '../flows.fixture.ts';
import type { Line, Peer } from '../uplink-peers.ts';
import { type Disturbance, mono } from './chaos-log.ts';
import type { People } from './chaos-people.ts';
import type { badFlows, Happening, Step } from './chaos-plan.ts';
import type { Compound } from './chaos-site.ts';
import { flowProcess } from './processes.ts';

const DEPLOY_MS = 90_000;
const DEPLOY_AGAIN_MS = 1000;
const MAINTENANCE_MINUTES = 60;
const reference = () =>
  JSON.parse(readFileSync(new URL('../../flows/vehicle-gate/single-lane.json', import.meta.url), 'utf8')) as object[];

/** What each does to the process it runs in. */
const CODE: Readonly<Record<(typeof badFlows)[number], string>> = {
  loop: 'for (;;) {}',
  exit: escaped('process.exit(3)'),
  throw: "setTimeout(() => { throw new Error('chaos') }, 10)",
  memory: 'const kept = []; for (;;) kept.push(new Array(1e6).fill(Math.random()))',
  flood: 'for (let i = 0; i < 1e6; i++) node.send({ payload: i })',
};

export interface Faults {
  /** What excuses a command that is not known of, or an alarm that comes later. */
  readonly disturbances: readonly Disturbance[];
  /** What must not be noticed by a guard at the barrier. */
  readonly worlds: readonly Disturbance[];
  /** The wall clock of the gateway: how far from the true time, from when on. */
  readonly clock: readonly { readonly from: number; readonly offsetMs: number }[];
  readonly counts: ReadonlyMap<string, number>;
  /** @throws what cannot be carried out */
  carryOut(step: Step): Promise<void>;
  /** What still waits for its turn is not begun any more. */
  end(): void;
}

interface Parts {
  readonly compound: Compound;
  readonly people: People;
  readonly broker: Peer;
  readonly line: Line;
}

export function createFaults({ compound, people, broker, line }: Parts): Faults {
  const disturbances: Disturbance[] = [];
  const worlds: Disturbance[] = [];
  const clock = [{ from: Number.NEGATIVE_INFINITY, offsetMs: 0 }];
  const counts = new Map<string, number>();
  /** The last that was begun at each place; what comes next there waits for it. */
  const turns = new Map<string, Promise<void>>();
  let isOver = false;

  /** Kept in the book from now until it is over. */
  async function during(book: Disturbance[], kind: string, work: () => Promise<void>, device?: string): Promise<void> {
    const one: Disturbance = {
      ...{ kind, from: mono(), to: Number.POSITIVE_INFINITY },
      ...(device === undefined ? {} : { device }),
    };
    book.push(one);
    try {
      await work();
    } finally {
      one.to = mono();
    }
  }

  /** What cannot be so twice at once. */
  const placesOf = (step: Happening): string[] => {
    switch (step.kind) {
      case 'core killed':
      case 'core stopped':
        return ['core'];
      case 'disk full':
        return ['core', 'disk'];
      case 'disk slow':
        return ['disk'];
      case 'flows killed':
      case 'bad flow':
        return ['flows'];
      case 'broker killed':
      case 'broker stopped':
        return ['broker'];
      case 'uplink cut':
      case 'uplink frozen':
        return ['uplink'];
      case 'clock set':
        return ['flows']; // whose process keeps the true time: its environment is its own
      case 'booth cut':
        return [`booth ${step.booth}`];
      case 'smoke':
      case 'intrusion':
      case 'trouble':
      case 'fire':
        return [`at ${step.device}`];
      default:
        return [step.device];
    }
  };

  async function deploy(flow: readonly object[]): Promise<void> {
    const post = (path: string, body: unknown, more: Record<string, string> = {}) =>
      fetch(`${compound.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-gatehouse': '1', cookie: compound.cookie('fitter'), ...more },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(10_000),
      }).then(async (response) => {
        const text = await response.text();
        return response.ok ? '' : `${response.status} ${text}`;
      }, String);
    let why = '';
    for (const end = mono() + DEPLOY_MS; mono() < end; await sleep(DEPLOY_AGAIN_MS)) {
      why = await post('/api/v1/maintenance', { minutes: MAINTENANCE_MINUTES, reason: 'chaos' });
      if (why !== '') continue;
      why = await post('/editor/flows', flow, { 'node-red-deployment-type': 'full' });
      if (why === '') return;
    }
    counts.set('flow not taken', (counts.get('flow not taken') ?? 0) + 1);
    return console.error(`the flow could not be deployed: ${why}`);
  }

  async function carryOut(step: Happening): Promise<void> {
    const pid = () => compound.gateway().pid;
    switch (step.kind) {
      case 'core killed':
        return during(disturbances, step.kind, () => compound.kill(step.downMs));
      case 'core stopped':
        return during(disturbances, step.kind, async () => {
          process.kill(pid(), 'SIGSTOP');
          await sleep(step.ms);
          process.kill(pid(), 'SIGCONT');
        });
      case 'disk slow':
        return during(disturbances, step.kind, async () => {
          compound.disk.set({ flushMs: step.flushMs });
          await during(worlds, step.kind, () => sleep(step.ms));
          compound.disk.set({});
          await sleep(step.flushMs); // what has begun takes its time
        });
      case 'disk full':
        return during(disturbances, step.kind, async () => {
          compound.disk.set({ error: 'ENOSPC' });
          await sleep(step.ms);
          compound.disk.set({});
        });
      case 'flows killed': {
        const flows = await flowProcess(pid());
        if (flows === undefined) return;
        process.kill(flows, 'SIGKILL');
        return during(worlds, 'flows dead', () => sleep(2000));
      }
      case 'bad flow':
        return during(worlds, 'flows dead', async () => {
          await deploy([...reference(), ...runs(CODE[step.what])]);
          await sleep(step.ms);
          await deploy(reference());
        });
      case 'broker killed':
        return during(worlds, 'broker dead', async () => {
          await broker.kill();
          await sleep(step.ms);
          await broker.start();
        });
      case 'broker stopped':
        return during(worlds, 'broker dead', async () => {
          broker.pause(true);
          await sleep(step.ms);
          broker.pause(false);
        });
      case 'uplink cut':
        line.cut();
        return;
      case 'uplink frozen':
        return during(worlds, 'uplink down', async () => {
          line.frozen = true;
          await sleep(step.ms);
          line.frozen = false;
          line.cut();
        });
      case 'clock set':
        for (const offsetMs of [step.offsetMs, 0]) {
          compound.clock.set(offsetMs);
          clock.push({ from: mono(), offsetMs });
          if (offsetMs !== 0) await sleep(step.ms);
        }
        return;
      case 'booth cut':
        people.booths[step.booth]?.cut();
        return;
      case 'device wrong':
        return during(
          disturbances,
          step.kind,
          async () => {
            await compound.devices.ask({ do: 'behave', device: step.device, behaviour: step.behaviour });
            await sleep(step.ms);
            await compound.devices.ask({ do: 'behave', device: step.device, behaviour: {} });
          },
          step.device,
        );
      case 'line wrong':
        return during(
          disturbances,
          step.kind,
          async () => {
            await compound.devices.ask({ do: 'wire', device: step.device, wire: step.wire });
            await sleep(step.ms);
            await compound.devices.ask({ do: 'wire', device: step.device, wire: 'up' });
          },
          step.device,
        );
      case 'smoke':
      case 'intrusion':
      case 'fire':
        await compound.devices.ask({ do: 'happen', device: step.device, what: step.kind, ms: step.ms });
        return;
      case 'trouble':
        await compound.devices.ask({ do: 'happen', device: step.device, what: step.what, ms: step.ms });
    }
  }

  return {
    ...{ disturbances, worlds, clock, counts },
    end() {
      isOver = true;
    },
    async carryOut(step) {
      const places = placesOf(step);
      const before = Promise.all(places.map((place) => turns.get(place)));
      const work = before.then(() => {
        if (isOver) return;
        counts.set(step.kind, (counts.get(step.kind) ?? 0) + 1);
        return carryOut(step);
      });
      const over = work.catch(() => undefined);
      for (const place of places) turns.set(place, over);
      await work;
    },
  };
}
