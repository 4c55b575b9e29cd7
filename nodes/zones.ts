/** Which zones a device stands in, as the gateway says; remembered, because records name devices only. */
import type { DeviceView, Zone } from '../runtime/contracts/api.ts';
import type { ApiClient } from './api-client.ts';

/** A device can be moved to another zone; flows notice within a minute. */
const FRESH_MS = 60_000;
/** Deeper nesting is a circle. */
const DEEPEST = 16;

export interface Zones {
  /** Its zone and everything above it; undefined while it has to be learned. */
  of(device: string): readonly string[] | undefined;
  /** Asks the gateway; a device nobody knows is in no zone. Never throws: a record must not wait for ever. */
  learn(device: string): Promise<void>;
}

export function createZones(client: ApiClient): Zones {
  const known = new Map<string, { zones: readonly string[]; at: number }>();

  async function ask(device: string): Promise<readonly string[]> {
    const { zone } = (await client.call(`/devices/${encodeURIComponent(device)}`)).body as DeviceView;
    const all = (await client.call('/zones')).body as readonly Zone[];
    const above = new Map(all.map(({ id, parent }) => [id, parent]));
    const path = [zone];
    for (let next = above.get(zone); next !== undefined && path.length < DEEPEST; next = above.get(next))
      path.push(next);
    return path;
  }

  return {
    of(device) {
      const entry = known.get(device);
      return entry && performance.now() - entry.at < FRESH_MS ? entry.zones : undefined;
    },
    async learn(device) {
      const zones = await ask(device).catch(() => known.get(device)?.zones ?? []);
      known.set(device, { zones, at: performance.now() });
    },
  };
}
