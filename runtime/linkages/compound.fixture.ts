/** The demo compound in this process: its inventory, its mechanisms on real Modbus sockets, and a core that is moved by hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { driverOf } from '../../drivers/index.ts';
import { ModbusSimulator, type SimulatedSlave } from '../../drivers/modbus/simulator.ts';
import { manualClock } from '../../test/manual-clock.ts';
import { schema as alarmSchema, createAlarms } from '../alarms/alarms.ts';
import type { Clock } from '../clock.ts';
import { schema as commandSchema, Dispatcher, type Outputs } from '../commands/dispatcher.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { Barrier } from '../demo/barrier.ts';
import { LifeSafety } from '../demo/life-safety.ts';
import { openEvidence } from '../devices/evidence.ts';
import { createHost } from '../devices/host.ts';
import { Inventory, schema as inventorySchema } from '../devices/inventory.ts';
import { loadProfiles } from '../devices/profiles.ts';
import { schema as repeatSchema } from '../devices/repeats.ts';
import { importSite, loadSiteFile, type SiteFile } from '../devices/site-file.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { createOutputs } from '../outputs.ts';
import { createRules, schema as ruleSchema } from '../rules/rules.ts';
import { Linkages, schema } from './linkages.ts';
import { shapeOf } from './site.ts';
import { createLinkageViews } from './view.ts';

const SITE = loadSiteFile(fileURLToPath(new URL('../demo/demo-site.yaml', import.meta.url)));
const GATES = ['gate-east-in', 'gate-east-out'];
/** Devices answer over real sockets while the clock stands: it moves on in small steps. */
const STEP_MS = 20;
const MOST_STEPS = 3000;
const tables = [alarmSchema, ruleSchema, commandSchema, schema, inventorySchema, repeatSchema];

async function startCore(directory: string, clock: Clock, ports: Readonly<Record<string, number>>, file: SiteFile) {
  const journal = await Journal.open({ directory, clock, log: silentLog, schema: tables });
  const inventory = Inventory.open(journal, { profiles: loadProfiles(), driverOf });
  if (inventory.isEmpty()) {
    await importSite(inventory, file, 'system:test');
    for (const [id, port] of Object.entries(ports)) {
      const entry = inventory.deviceInput(id);
      if (entry) await inventory.putDevice({ ...entry, address: { ...entry.address, port } }, 'system:test', {});
    }
  }
  const alarms = createAlarms({ journal, clock });
  let linkages: Linkages | undefined;
  const evidence = openEvidence(join(directory, 'evidence'));
  const host = createHost({
    ...{ journal, alarms, evidence, driverOf, clock, log: silentLog },
    heard: (...reading) => linkages?.heard(...reading),
  });
  const forbidden: Outputs['forbidden'] = (...order) => linkages?.forbids(...order);
  const outputs = createOutputs({ inventory, host, journal, alarms, forbidden });
  const dispatcher = new Dispatcher({ journal, outputs, clock, log: silentLog });
  const settingsOf = (device: string) => inventory.device(device)?.settings ?? {};
  linkages = new Linkages({
    ...{ journal, alarms, dispatcher, outputs, clock, log: silentLog, settingsOf },
    site: () => shapeOf(inventory),
  });
  const views = createLinkageViews({
    ...{ linkages, journal, outputs, clock, settingsOf },
    linkOf: (device) => host.view(device).state,
  });
  const rules = createRules({ journal, alarms, site: inventory.siteView(), clock, log: silentLog });
  await rules.start();
  // The others would be those of a demo that runs on this machine.
  for (const device of inventory.devices())
    if (device.id in ports || device.driver.kind === 'message') host.attach(device);
  linkages.start();
  await dispatcher.recover();
  return { journal, inventory, alarms, host, outputs, dispatcher, linkages, views, rules };
}
type Core = Awaited<ReturnType<typeof startCore>>;

export type Compound = Awaited<ReturnType<typeof openCompound>>;

/** @param edit of the demo's site file */
export async function openCompound(edit: (yaml: string) => string = (yaml) => yaml) {
  const directory = mkdtempSync(join(tmpdir(), 'gh-linkages-'));
  const clock = manualClock();
  // Wall time is whole milliseconds; an arm that stops half-way, or a line that tries again, would leave a fraction.
  const whole: Clock = { ...clock, after: (ms, action) => clock.after(Math.ceil(ms), action) };
  const barriers = new Map(GATES.map((id) => [id, new Barrier(whole)]));
  const lifeSafety = new LifeSafety(whole);
  const slaves: Record<string, SimulatedSlave> = { ...lifeSafety.slaves };
  for (const [id, { board }] of barriers) slaves[id] = board;
  const lines = new Map<string, ModbusSimulator>();
  const ports: Record<string, number> = {};
  for (const [id, slave] of Object.entries(slaves)) {
    const line = new ModbusSimulator([[1, slave]], whole);
    lines.set(id, line);
    ports[id] = await line.listenTcp();
  }
  const file = { name: SITE.name, bytes: Buffer.from(edit(Buffer.from(SITE.bytes).toString())) };
  let core: Core = await startCore(directory, whole, ports, file);

  async function stop(): Promise<void> {
    core.rules.stop();
    core.linkages.stop();
    await Promise.race([core.dispatcher.stop(), passing()]);
    await core.host.close();
    core.alarms.stop();
    await core.journal[Symbol.asyncDispose]();
  }
  /** What waits for the clock while something is stopped. */
  async function passing(): Promise<void> {
    for (let step = 0; step < 200; step++) await pass(STEP_MS);
  }
  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      await clock.advance(Math.min(STEP_MS, left));
      await new Promise((resolve) => setTimeout(resolve, 1)); // for the sockets
    }
  }

  const compound = {
    clock,
    lines,
    slaves,
    pass,
    get core() {
      return core;
    },
    play(action: string): void {
      if (action === 'clear') lifeSafety.clear();
      else if (!lifeSafety.actions[action]?.()) throw new Error(`Nothing is called ${action}`);
    },
    barrier: (id: string) => barriers.get(id)?.state,
    coil: (device: string, relay: number) => slaves[device]?.tables.coils?.get(relay),
    /** Lets time pass until it is so. @returns how long it took on the clock, ms */
    async until(isSo: () => unknown, what = 'it'): Promise<number> {
      const began = clock.mono();
      for (let step = 0; step < MOST_STEPS; step++) {
        if (isSo()) return clock.mono() - began;
        await pass(STEP_MS);
      }
      throw new Error(`${what} was not so after ${MOST_STEPS * STEP_MS} ms`);
    },
    point: (device: string, name: string) => core.journal.latestPoint(device, name)?.value,
    records: (name: string): JournalRecord[] => core.journal.read({ name, limit: 500 }).items,
    /** Orders that reached the device: its writes. */
    writes: (device: string) => (slaves[device]?.requests ?? []).filter(({ function: code }) => code > 4),
    alarm: (device: string, kind: string) =>
      core.alarms.open().find((one) => one.device === device && one.kind === kind),
    async send(
      device: string,
      command: string,
      sender: 'guard' | 'shift-leader' | 'linkage' = 'guard',
      input: Readonly<Record<string, unknown>> = {},
    ) {
      const who = { actor: `user:${sender}`, sender };
      const sending = core.dispatcher.send({ device, command, input }, who, crypto.randomUUID());
      sending.catch(() => undefined);
      const { id } = await sending;
      let last: Awaited<ReturnType<Core['dispatcher']['settled']>> | undefined;
      void core.dispatcher.settled(id).then((view) => (last = view));
      await compound.until(() => last, `${device} ${command}`);
      return core.dispatcher.get(id);
    },
    /** As after a power cut: the devices go on, the core starts from what is on the disk. */
    async restart(): Promise<void> {
      await stop();
      core = await startCore(directory, whole, ports, file);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await Promise.all([...lines.values()].map((line) => line.close()));
      for (const barrier of barriers.values()) barrier.stop();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  await compound.until(
    () => Object.keys(slaves).every((id) => !core.inventory.device(id) || core.host.view(id).state === 'online'),
    'every device online',
  );
  return compound;
}
