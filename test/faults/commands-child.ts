/**
 * The command path of the core in a process of its own: journal, inventory, device host with its real driver, dispatcher.
 * What comes as a message is sent; every state of every command is told. Arguments: directory, port of the relay board.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { driverOf } from '../../drivers/index.ts';
import { schema as alarmSchema, createAlarms } from '../../runtime/alarms/alarms.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { schema as commandSchema, Dispatcher } from '../../runtime/commands/dispatcher.ts';
import type { CommandInput, CommandView } from '../../runtime/contracts/api.ts';
import type { Sender } from '../../runtime/contracts/contract.ts';
import { openEvidence } from '../../runtime/devices/evidence.ts';
import { createHost } from '../../runtime/devices/host.ts';
import { Inventory, schema as inventorySchema } from '../../runtime/devices/inventory.ts';
import { loadProfiles } from '../../runtime/devices/profiles.ts';
import { schema as repeatSchema } from '../../runtime/devices/repeats.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { silentLog as log } from '../../runtime/log.ts';
import { createOutputs } from '../../runtime/outputs.ts';

export interface Ask {
  readonly key: string;
  readonly input: CommandInput;
  readonly sender: Sender;
}
export type Told =
  | { readonly ready: true }
  | { readonly key: string; readonly view: CommandView }
  | { readonly key: string; readonly refused: string }
  | { readonly state: CommandView };

const GATE = 'gate';
const [directory = '', port = ''] = process.argv.slice(2);
const tell = (told: Told) => void process.send?.(told);

const schema = [alarmSchema, commandSchema, inventorySchema, repeatSchema];
const journal = await Journal.open({ directory, clock, log, schema });
const inventory = Inventory.open(journal, { profiles: loadProfiles(), driverOf });
if (inventory.isEmpty()) {
  await inventory.putSite({ id: 'trial', name: '试验小区', timeZone: 'Asia/Shanghai' }, 'system:trial');
  await inventory.putZone({ id: 'lane', name: '车道', kind: 'lane' }, 'system:trial');
  const address = { host: '127.0.0.1', port: Number(port), unit: 1 };
  const profile = 'waveshare/relay-8ch-barrier';
  await inventory.putDevice({ id: GATE, name: '道闸', zone: 'lane', profile, address }, 'system:trial');
}
const alarms = createAlarms({ journal, clock });
const evidence = openEvidence(join(directory, 'evidence'));
const host = createHost({ journal, alarms, evidence, driverOf, clock, log });
const dispatcher = new Dispatcher({
  ...{ journal, clock, log },
  outputs: createOutputs({ inventory, host, journal, alarms, forbidden: () => undefined }),
});
journal.onCommit((records) => {
  for (const record of records) if (record.kind === 'command') tell({ state: record.data as CommandView });
});
for (const device of inventory.devices()) host.attach(device);
await dispatcher.recover();

process.on('message', ({ key, input, sender }: Ask) => {
  dispatcher.send(input, { actor: `user:${sender}`, sender }, key).then(
    (view) => tell({ key, view }),
    (error: { code?: string }) => tell({ key, refused: error.code ?? String(error) }),
  );
});
const isThere = () => host.view(GATE).state === 'online' && journal.latestPoint(GATE, 'loopOccupied') !== undefined;
while (!isThere()) await sleep(5);
tell({ ready: true });
