/** What the alarms know of the site: places, cameras, booths, and what is cut off by what. */
import type { AlarmSite } from './alarms/alarms.ts';
import type { Inventory } from './devices/inventory.ts';
import { lineDevice } from './devices/lines.ts';

export function createAlarmSite(inventory: Inventory): AlarmSite {
  const settings = () => inventory.site().alarms;
  return {
    settings,
    camerasOf: (device) => inventory.device(device)?.cameras ?? [],
    placeOf(zone) {
      const path = inventory.zonePath(zone).map(({ name }) => name);
      return path.length === 0 ? undefined : path.reverse().join(' ');
    },
    boothOf(zone) {
      const booths = settings()?.booths ?? [];
      const near = inventory.zonePath(zone).map(({ id }) => booths.find(({ zones }) => zones.includes(id)));
      // What belongs to nobody belongs to the first: no alarm is without a booth.
      return (near.find((booth) => booth !== undefined) ?? booths[0])?.id ?? '';
    },
    above(id) {
      const device = inventory.device(id);
      if (!device) return [];
      const line = device.driver.kind === 'link' ? [lineDevice(device.driver.lineOf(device.address))] : [];
      return device.parent === undefined ? line : [...line, device.parent];
    },
  };
}
