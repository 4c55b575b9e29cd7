/** The composition of the core: the only place that builds things. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { driverOf } from '../drivers/index.ts';
import { createAccess } from './access/access.ts';
import { createAlarmSite } from './alarm-site.ts';
import { type Alarms, schema as alarmSchema, createAlarms } from './alarms/alarms.ts';
import { readyText, saying } from './announce.ts';
import { type Auth, schema as authSchema, openAuth } from './api/auth.ts';
import { createDeviceListener } from './api/devices-listener.ts';
import type { DemoPort } from './api/parts.ts';
import { createServer, tlsFor } from './api/server.ts';
import { newestDatabase } from './backup/recover.ts';
import { type Broker, startBroker } from './broker.ts';
import { createCalendar } from './calendar/calendar.ts';
import { systemClock } from './clock.ts';
import { recordSteps, watchClock } from './clock-quality.ts';
import { schema as commandSchema, Dispatcher, type Outputs } from './commands/dispatcher.ts';
import type { Lease } from './commands/leases.ts';
import { openPlatformKeys } from './commands/platform-keys.ts';
import { createSignedCommands, type SignedCommands, schema as signedSchema } from './commands/signed.ts';
import { type Config, isLoopback } from './config.ts';
import type { AlarmView } from './contracts/api.ts';
import type { Draft } from './contracts/record.ts';
import type { Demo } from './demo/client.ts';
import { demoSecrets, startDemo } from './demo/start.ts';
import { openEvidence } from './devices/evidence.ts';
import { createHost, type DeviceHost } from './devices/host.ts';
import { Inventory, schema as inventorySchema } from './devices/inventory.ts';
import { loadProfiles } from './devices/profiles.ts';
import { schema as repeatSchema } from './devices/repeats.ts';
import { importSite, loadSiteFile, problemText, type SiteProblem } from './devices/site-file.ts';
import { createNotices, schema as noticeSchema } from './duty/notices.ts';
import { createWorkOrders, schema as workOrderSchema } from './duty/work-orders.ts';
import { GatehouseError } from './errors.ts';
import { CannotStart, EXIT } from './exit.ts';
import { type FlowHistory, schema as flowSchema, openFlowHistory } from './flow-history/history.ts';
import { registerEditor } from './flows/editor-proxy.ts';
import { keptSecret } from './flows/secret.ts';
import { type Flows, startFlows } from './flows/supervisor.ts';
import { refuseFullDisk } from './full-disk.ts';
import { Journal } from './journal/journal.ts';
import { lockDirectory } from './journal/lock.ts';
import { createOnce, schema as onceSchema } from './journal/once.ts';
import { keepPictures, keepWithinSpace } from './keeping.ts';
import { Linkages, schema as linkageSchema } from './linkages/linkages.ts';
import { shapeOf } from './linkages/site.ts';
import { createLinkageViews } from './linkages/view.ts';
import { createLog, type Log } from './log.ts';
import { type MemoryWatch, watchMemory } from './memory.ts';
import { createOutputs } from './outputs.ts';
import { createReplays } from './replay/replays.ts';
import { createRules, schema as ruleSchema } from './rules/rules.ts';
import { schema as storageSchema } from './storage/schema.ts';
import type { Storage } from './storage/space.ts';
import { startSummons } from './summons.ts';
import { startUpkeep } from './upkeep.ts';
import { uplinkAlarms } from './uplink/mqtt.ts';
import { schema as replaySchema } from './uplink/replay-store.ts';
import { openUplinks, type Uplinks } from './uplink/uplinks.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const DEMO_SITE = fileURLToPath(new URL('./demo/demo-site.yaml', import.meta.url));
const DEMO_ID = 'demo';
const BOOTH = fileURLToPath(new URL('./booth/dist/index.html', import.meta.url));

/** What decides where safety linkages act. */
const LINKED = ['site', 'zone', 'device'];

export interface Gateway {
  /** Stops intake, finishes what was accepted, closes the journal (reliability.md V8). */
  stop(): Promise<void>;
  /** The journal answers: everything accepted before is durable. */
  healthy(): Promise<boolean>;
  readonly log: Log;
}

function openLog(config: Config): { log: Log; logFile?: string } {
  if (!config.console) return { log: createLog(config.logLevel) };
  const logFile = join(config.dataDir, 'log', 'gatehouse.log');
  mkdirSync(join(config.dataDir, 'log'), { recursive: true, mode: 0o700 });
  return {
    log: createLog(config.logLevel, pino.destination({ dest: logFile, append: true, mkdir: true, sync: false })),
    logFile,
  };
}

/** Imports the site into an empty data directory. @returns true in demo mode @throws CannotStart naming line and key */
async function prepareSite(config: Config, inventory: Inventory, say: (text: string) => void): Promise<boolean> {
  if (inventory.isEmpty()) {
    try {
      await importSite(inventory, loadSiteFile(config.siteFile ?? DEMO_SITE), 'system:start');
    } catch (error) {
      if (!(error instanceof GatehouseError) || !error.code.startsWith('site.')) throw error;
      const problems = (error.detail?.problems ?? []) as SiteProblem[];
      const lines = problems.flatMap((problem) => [problemText(problem, 'zh'), problemText(problem, 'en')]);
      throw new CannotStart(EXIT.config, 'siteWrong', lines.length > 0 ? lines : [error.message]);
    }
  } else if (config.siteFile !== undefined) {
    say(saying('siteIgnored'));
  }
  const demo = inventory.site().id === DEMO_ID;
  const hosts = [config.http.host, config.devices.host, config.mqtt.host];
  if (demo && !hosts.every(isLoopback)) throw new CannotStart(EXIT.config, 'demoLoopback', hosts);
  return demo;
}

/** A journal that had to begin anew is an alarm, not only a record. */
async function tellRecovery({ started }: Journal, alarms: Alarms): Promise<void> {
  if (started.reason === undefined || ['first', 'restored'].includes(started.reason)) return;
  const about = { device: '', scenario: 'gateway', zone: '', kind: 'journalRecovered', actor: 'system:journal' };
  await alarms.raise({
    ...about,
    data: { reason: started.reason, ...(started.quarantine ? { quarantine: started.quarantine } : {}) },
  });
  await alarms.clear('', 'journalRecovered', undefined, about.actor);
}

/** What is still held after its time stands as an alarm of its device until it is let go. */
const tellHeld =
  ({ inventory, alarms, log }: { inventory: Inventory; alarms: Alarms; log: Log }) =>
  ({ device, name, release, command }: Lease, detail: string | undefined) => {
    const zone = inventory.device(device)?.zone ?? '';
    const about = { device, scenario: 'gateway', zone, kind: 'stillHeld', cause: command, actor: 'system:lease' };
    const told =
      detail === undefined
        ? alarms.clear(device, about.kind, command, about.actor)
        : alarms.raise({ ...about, data: { command: name, release, reason: detail } });
    told.catch((error: unknown) => log.error({ err: error, device }, 'the alarm of a hold could not be recorded'));
  };

/** Ended between two starts: alarms of devices and lines that are no more. */
function endOrphans(inventory: Inventory, host: DeviceHost, alarms: Alarms, log: Log): void {
  const lines = host.sharedLines();
  const isThere = ({ device, scenario, kind }: AlarmView) =>
    kind === 'lineDown'
      ? lines.includes(device)
      : scenario === 'gateway' || inventory.deviceInput(device) !== undefined;
  for (const { device, kind } of alarms.open().filter((alarm) => !isThere(alarm)))
    alarms
      .clear(device, kind, undefined, 'system:inventory')
      .catch((error: unknown) =>
        log.error({ err: error, device }, 'an alarm of a device that is gone could not be ended'),
      );
}

/** Devices of the inventory run in the host, and follow every change. */
function hostDevices(
  inventory: Inventory,
  host: DeviceHost,
  alarms: Alarms,
  log: Log,
  broker: () => Broker | undefined,
): () => void {
  for (const device of inventory.devices()) host.attach(device);
  endOrphans(inventory, host, alarms, log);
  let turn: Promise<unknown> = Promise.resolve();
  return inventory.onChange((changes) => {
    for (const change of changes) {
      if (change.kind !== 'device') continue;
      turn = turn
        .then(async () => {
          await host.detach(change.id);
          if (change.after) {
            host.attach(change.after);
            await alarms.reconsider();
            return;
          }
          broker()?.disconnect(change.id);
          const standing = alarms.open().filter((alarm) => alarm.device === change.id);
          await Promise.all(
            standing.map((alarm) => alarms.clear(change.id, alarm.kind, undefined, 'system:inventory')),
          );
        })
        .catch((error: unknown) =>
          log.error({ err: error, device: change.id }, 'a changed device could not be taken over'),
        );
    }
  });
}

async function openBroker(
  config: Config,
  inventory: Inventory,
  host: DeviceHost,
  journal: Journal,
  log: Log,
): Promise<Broker> {
  const { host: address, port } = config.mqtt;
  const tls = await tlsFor(address, { config, clock: systemClock, log });
  const refused = (error: unknown) => log.error({ err: error }, 'a refusal of the device broker could not be recorded');
  try {
    return await startBroker({
      host: address,
      port,
      ...(tls === undefined ? {} : { tls }),
      plainDevices: inventory.site().network?.plainDevices ?? false,
      log: log.child({ part: 'broker' }),
      clock: systemClock,
      devices: { exists: (id) => inventory.device(id) !== undefined, secretOf: (id) => inventory.secretOf(id) },
      onMessage: (device, topic, body, done) => host.take(device, { topic, body }, done),
      onRefused(refusal) {
        journal
          .append({
            lane: 'L0',
            kind: 'audit',
            scenario: 'gateway',
            device: refusal.device,
            name: 'broker.refused',
            data: refusal,
            actor: 'system:broker',
          })
          .catch(refused);
      },
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new GatehouseError(
      'http.port_taken',
      `Another program uses ${address}:${port}; stop it or choose another with GATEHOUSE_MQTT=${address}:<port>`,
    );
  }
}

interface UplinkParts {
  readonly config: Config;
  readonly inventory: Inventory;
  readonly journal: Journal;
  readonly alarms: Alarms;
  readonly log: Log;
}

function startUplinks({ config, inventory, journal, alarms, log }: UplinkParts, signed: SignedCommands): Uplinks {
  const deviceOf = (uplink: string) => `uplink-${uplink}`;
  return openUplinks({
    inventory,
    journal,
    clock: systemClock,
    log,
    version,
    ...(config.uplink === undefined ? {} : { fixed: config.uplink }),
    secrets: join(config.dataDir, 'uplink-secrets'),
    signed,
    standing: (uplink) =>
      uplinkAlarms.filter((kind) => alarms.open().some((one) => one.device === deviceOf(uplink) && one.kind === kind)),
    report({ kind, active, detail }) {
      const about = { device: deviceOf(detail.uplink), scenario: 'gateway', zone: '', kind, actor: 'system:uplink' };
      const told = active
        ? alarms.raise({ ...about, data: detail })
        : alarms.clear(about.device, kind, undefined, about.actor);
      told.catch((error: unknown) => log.error({ err: error }, 'an uplink alarm could not be recorded'));
    },
  });
}

interface FlowParts {
  readonly config: Config;
  readonly journal: Journal;
  readonly alarms: Alarms;
  readonly auth: Auth;
  readonly history: FlowHistory;
  readonly socket: string;
  readonly log: Log;
}

function openHistory({ config, journal, alarms, log }: Omit<FlowParts, 'auth' | 'history' | 'socket'>): FlowHistory {
  const about = { device: 'flows', scenario: 'gateway', zone: '', actor: 'system:flows' };
  const told = (work: Promise<unknown>) =>
    void work.catch((error: unknown) => log.error({ err: error }, 'an alarm of the flows could not be recorded'));
  return openFlowHistory({
    journal,
    directory: join(config.dataDir, 'flows'),
    key: keptSecret(join(config.dataDir, 'secrets'), 'flow-versions'),
    clock: systemClock,
    log: log.child({ part: 'flows' }),
    onOff(off) {
      const flows = off.map(({ label, why, nodeLabel }) => ({ label, why, ...(nodeLabel ? { node: nodeLabel } : {}) }));
      told(
        off.length > 0
          ? alarms.raise({ ...about, kind: 'flowOff', data: { flows } })
          : alarms.clear(about.device, 'flowOff', undefined, about.actor),
      );
    },
    onForeign: (kept) =>
      told(
        alarms
          .raise({ ...about, kind: 'flowsChanged', data: { kept } })
          .then(() => alarms.clear(about.device, 'flowsChanged', undefined, about.actor)),
      ),
  });
}

function superviseFlows({ config, journal, alarms, auth, history, socket, log }: FlowParts): Flows {
  const about = { device: 'flows', scenario: 'gateway', zone: '', kind: 'flowsDown', actor: 'system:flows' };
  return startFlows({
    directory: join(config.dataDir, 'flows'),
    book: history,
    secrets: join(config.dataDir, 'secrets'),
    socket,
    token: auth.flowToken,
    log: log.child({ part: 'flows' }),
    clock: systemClock,
    onChange({ status, reason, detail, alarm }) {
      const why = { ...(reason === undefined ? {} : { reason }), ...(detail === undefined ? {} : { detail }) };
      const state: Draft = {
        lane: 'L2',
        kind: 'state',
        scenario: 'gateway',
        device: 'flows',
        name: 'flows',
        data: { state: status.state, restarts: status.restarts, ...why },
        actor: about.actor,
      };
      const told = alarm
        ? alarms.raise({ ...about, data: why })
        : alarms.clear(about.device, about.kind, undefined, about.actor);
      Promise.all([journal.append(state), told]).catch((error: unknown) =>
        log.warn({ err: error }, 'the state of the flows could not be recorded'),
      );
    },
  });
}

const demoPort = (demo: Demo): DemoPort => ({
  async play(action, body) {
    await demo.do(action, { ...body });
  },
});

function memoryParts(alarms: Alarms, log: Log, onFull: () => void): Omit<MemoryWatch, 'clock'> {
  const about = { device: '', scenario: 'gateway', zone: '', kind: 'memoryHigh', actor: 'system:memory' };
  return {
    rss: () => process.memoryUsage.rss(),
    onHigh(high, bytes) {
      const told = high
        ? alarms.raise({ ...about, data: { bytes } })
        : alarms.clear(about.device, about.kind, undefined, about.actor);
      told.catch((error: unknown) => log.error({ err: error }, 'the memory alarm could not be recorded'));
    },
    onFull(bytes) {
      log.error({ bytes }, 'the core is too large and starts afresh');
      onFull();
    },
  };
}

/** Builds everything, in the order of dependence, and starts it. @returns what stops it: intake first, the journal last */
export async function startGateway(config: Config, say: (text: string) => void, onFull: () => void): Promise<Gateway> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  refuseFullDisk(config.dataDir);
  const lock = lockDirectory(config.dataDir);
  if (!lock) throw new CannotStart(EXIT.taken, 'running', [config.dataDir]);
  const clock = systemClock;
  const { log, logFile } = openLog(config);
  const stack = new AsyncDisposableStack();
  stack.use(lock);
  /** Undone in reverse order: intake first, the journal last (reliability.md V8). */
  const onStop = (undo: () => unknown) =>
    stack.defer(async () => {
      try {
        await undo();
      } catch (error) {
        log.error({ err: error }, 'a part did not stop in order'); // the others, and the journal last, still must
      }
    });
  try {
    const quality = watchClock(clock);
    onStop(() => quality.stop());
    let storage: Storage | undefined;
    const journal = await Journal.open({
      directory: config.dataDir,
      clock,
      log,
      clockQuality: quality.quality,
      configCopy: () => newestDatabase(config.dataDir, log),
      schema: [
        ...[
          alarmSchema,
          ruleSchema,
          commandSchema,
          signedSchema,
          linkageSchema,
          inventorySchema,
          repeatSchema,
          authSchema,
          replaySchema,
        ],
        ...[storageSchema, flowSchema, onceSchema, noticeSchema, workOrderSchema],
      ],
      onFull: () => storage?.onFull(),
    });
    stack.use(journal);
    onStop(recordSteps(quality, { journal, clock, log }));

    const inventory = Inventory.open(journal, { profiles: loadProfiles(), driverOf });
    const lost = await inventory.sealSecrets();
    if (lost.length > 0)
      log.error({ devices: lost }, 'secrets/device.key does not open the secrets of these devices: enter them again');
    const demo = await prepareSite(config, inventory, say);
    const alarms = createAlarms({ journal, clock, log, site: createAlarmSite(inventory) });
    onStop(() => alarms.stop());
    await tellRecovery(journal, alarms);
    const kept = { config, inventory, journal, alarms, log, clockQuality: quality.quality };
    storage = keepWithinSpace(kept);
    onStop(() => storage?.[Symbol.asyncDispose]());
    const upkeep = await startUpkeep({
      ...{ directory: config.dataDir, journal, alarms, clock, clockQuality: quality.quality, log, version },
    });
    onStop(() => upkeep.stop());
    let compound: Demo | undefined;
    onStop(() => compound?.stop()); // after the host: devices that go with us are not offline
    const evidence = openEvidence(join(config.dataDir, 'evidence'));
    const keeping = keepPictures(kept);
    onStop(() => keeping.stop());
    let linkages: Linkages | undefined;
    const host = createHost({
      journal,
      alarms,
      evidence,
      driverOf,
      heard: (...reading) => linkages?.heard(...reading),
      clock,
      log,
    });
    onStop(() => host.close());
    const forbidden: Outputs['forbidden'] = (...order) => linkages?.forbids(...order);
    const outputs = createOutputs({ inventory, host, journal, alarms, forbidden });
    const dispatcher = new Dispatcher({
      journal,
      outputs,
      clock,
      log,
      heldTrouble: tellHeld({ inventory, alarms, log }),
      clockTrusted: () => quality.quality() === 'synced',
    });
    onStop(() => dispatcher.stop());
    const platformKeys = openPlatformKeys({ journal, clock });
    const signed = createSignedCommands({
      ...{ journal, dispatcher, keys: platformKeys, clock, log, clockQuality: quality.quality },
      zoneOf: (device) => inventory.device(device)?.zone,
    });
    onStop(() => signed.stop());
    const once = createOnce({ journal, clock });
    const workOrders = createWorkOrders({ journal, clock, once, log });
    onStop(() => workOrders.stop());
    const duty = {
      workOrders,
      notices: createNotices({ journal, clock, once }),
      calendar: createCalendar({ site: inventory, once, clock }),
    };
    const sendAgain = startSummons({ alarms, inventory, dispatcher, log, ...duty });
    const settingsOf = (device: string) => inventory.device(device)?.settings ?? {};
    linkages = new Linkages({
      ...{ journal, alarms, dispatcher, outputs, clock, log, settingsOf },
      site: () => shapeOf(inventory),
    });
    const linkageViews = createLinkageViews({
      ...{ linkages, journal, outputs, clock, settingsOf },
      linkOf: (device) => host.view(device).state,
    });
    onStop(() => linkages?.stop());
    const access = createAccess({ inventory, journal, clock });
    const rules = createRules({ journal, alarms, site: inventory.siteView(), clock, log });
    await rules.start();
    onStop(() => rules.stop());

    const loopbackOnly = [config.http, config.devices, config.mqtt].every(({ host: name }) => isLoopback(name));
    const mode = demo ? 'demo' : 'site';
    const auth = stack.use(
      await openAuth({
        journal,
        clock,
        log,
        directory: config.dataDir,
        mode,
        loopbackOnly,
        siteWords: [inventory.site().name],
      }),
    );
    const secrets = demo ? await auth.accounts.createDemo(demoSecrets(config)) : undefined;

    onStop(watchMemory({ clock, ...memoryParts(alarms, log, onFull) }));
    const history = openHistory({ config, journal, alarms, log });
    let flows: Flows | undefined;
    let uplinks: Uplinks | undefined;
    const replays = createReplays({ journal, clock, log: log.child({ part: 'replay' }), directory: config.dataDir });
    onStop(() => replays.close());
    let ready = false;
    const devices = { inventory, host, evidence };
    const above = { platformKeys, signed };
    const parts = {
      config,
      clock,
      log,
      version,
      journal,
      auth,
      access,
      dispatcher,
      alarms,
      ...devices,
      ...duty,
      ...above,
    };
    const side = {
      http: { ...config.devices, scheme: isLoopback(config.devices.host) ? ('http' as const) : ('https' as const) },
      mqtt: { ...config.mqtt, scheme: isLoopback(config.mqtt.host) ? ('mqtt' as const) : ('mqtts' as const) },
    };
    const api = await createServer({
      ...parts,
      linkages: linkageViews,
      flows: () => flows,
      flowHistory: () => history,
      uplinks: () => uplinks?.statuses() ?? [],
      uplinkControl: () => uplinks,
      backups: () => upkeep.backups,
      storage: () => storage,
      replays: () => replays,
      demo: () => compound && demoPort(compound),
      editor: (app) => registerEditor(app, { flows: () => flows, history, journal }),
      clockQuality: quality.quality,
      deviceSide: () => side,
      ready: () => ready,
    });
    const listener = createDeviceListener(parts, await tlsFor(config.devices.host, parts));
    const pushPort = await listener.listen();
    onStop(() => listener.close());
    const broker = await openBroker(config, inventory, host, journal, log);
    onStop(() => broker.close());
    side.http.port = pushPort;
    side.mqtt.port = broker.port;
    const devicesUrl = `${side.http.scheme}://${side.http.host}:${pushPort}`;
    if (demo) {
      compound = await startDemo(inventory, {
        dataDir: config.dataDir,
        devices: devicesUrl,
        mqtt: { host: config.mqtt.host, port: broker.port },
      });
    }
    onStop(hostDevices(inventory, host, alarms, log, () => broker));
    linkages.start();
    onStop(
      inventory.onChange((changes) => {
        if (changes.some(({ kind }) => LINKED.includes(kind))) linkages?.siteChanged();
      }),
    );
    const { scheme, host: httpHost, port } = await api.listen();
    onStop(() => api.close());
    await dispatcher.recover();
    sendAgain();
    flows = superviseFlows({ config, journal, alarms, auth, history, socket: api.socketPath, log });
    onStop(() => flows?.stop());
    uplinks = startUplinks({ config, inventory, journal, alarms, log }, signed);
    onStop(() => uplinks?.stop());
    ready = true;

    const url = `${scheme}://${httpHost}:${port}`;
    const mqtt = `${side.mqtt.scheme}://${side.mqtt.host}:${broker.port}`;
    const setupCode = auth.setupCode();
    say(
      readyText({
        url,
        devices: devicesUrl,
        mqtt,
        boothBuilt: existsSync(BOOTH),
        ...(setupCode === undefined ? {} : { setupCode }),
        ...(secrets === undefined ? {} : { demo: secrets }),
        ...(logFile === undefined ? {} : { logFile }),
      }),
    );
    process.send?.({ listening: { url, devices: devicesUrl, mqtt } });
    log.info({ url, gateway: journal.gateway, epoch: journal.epoch, mode }, 'ready');
    return { stop: () => stack.disposeAsync(), healthy: async () => (await journal.append()).length === 0, log };
  } catch (error) {
    await stack.disposeAsync().catch((later: unknown) => log.error({ err: later }, 'closing after a failed start'));
    throw error;
  }
}
