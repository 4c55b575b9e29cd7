/** What the dispatcher may do to the compound: devices through their host, settings through the inventory. */
import type { Alarms } from './alarms/alarms.ts';
import type { Outputs } from './commands/dispatcher.ts';
import { scenarioOf } from './contracts/index.ts';
import type { DeviceHost } from './devices/host.ts';
import type { Inventory } from './devices/inventory.ts';
import { GatehouseError } from './errors.ts';
import type { Journal } from './journal/journal.ts';

export function createOutputs(parts: {
  inventory: Inventory;
  host: DeviceHost;
  journal: Journal;
  alarms: Alarms;
  /** Asked of the safety linkages, which themselves act through what is made here. */
  forbidden: Outputs['forbidden'];
}): Outputs {
  const { inventory, host, journal, alarms, forbidden } = parts;
  const find = (id: string) => {
    const device = inventory.device(id);
    if (!device) throw new GatehouseError('device.not_found', `No device ${id}`);
    return device;
  };
  return {
    target(id) {
      const { scenario, profile } = find(id);
      const settings = Object.entries(scenarioOf(scenario)?.commands ?? {}).filter(
        ([, kind]) => kind.acts === 'setting',
      );
      return { id, scenario, commands: [...Object.keys(profile.commands ?? {}), ...settings.map(([name]) => name)] };
    },
    /** A value from before the device fell silent says nothing about now. */
    latest(id, point) {
      const seen = journal.latestPoint(id, point);
      return seen?.quality === 'good' && host.view(id).state === 'online' ? seen.value : undefined;
    },
    forbidden,
    alarmed(id, scenario, kind) {
      const { zone } = find(id);
      return alarms
        .open()
        .some(
          (one) =>
            one.kind === kind && one.scenario === scenario && one.zone === zone && alarms.isActive(one.device, kind),
        );
    },
    command(id, command, input, turn) {
      const { state, reason } = host.view(id);
      if (state === 'offline')
        throw new GatehouseError('command.offline', `${id} is offline: ${reason ?? 'no answer'}`);
      return host.command(id, command, input, turn);
    },
    read: (id, points, signal) => host.read(id, points, signal),
    async setting(id, command, input, actor) {
      const entry = inventory.deviceInput(id);
      const { alarm, value } = input as { alarm?: string; value?: number };
      if (!entry) throw new GatehouseError('device.not_found', `No device ${id}`);
      if (command !== 'setThreshold' || alarm === undefined || value === undefined) {
        throw new GatehouseError('command.unsupported', `${id} has no setting command "${command}"`);
      }
      await inventory.putDevice({ ...entry, settings: { ...entry.settings, [alarm]: value } }, actor, {
        create: false,
      });
    },
  };
}
