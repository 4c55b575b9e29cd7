/** The inventory as linkages see it. */
import type { Inventory } from '../devices/inventory.ts';
import type { SiteShape } from './places.ts';

export function shapeOf(inventory: Pick<Inventory, 'devices' | 'zone' | 'site'>): SiteShape {
  return {
    devices: inventory.devices().map(({ id, scenario, role, zone, profile }) => ({
      ...{ id, scenario, role, zone },
      commands: Object.keys(profile.commands ?? {}),
    })),
    parentOf: (zone) => inventory.zone(zone)?.parent,
    reach: inventory.site().linkages ?? [],
  };
}
