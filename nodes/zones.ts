/** Which zone a device belongs to, as the gateway says; remembered, because records name devices only. */
import type { DeviceView } from '../runtime/contracts/api.ts';
import type { ApiClient } from './api-client.ts';

/** A device can be moved to another zone; flows notice within a minute. */
const FRESH_MS = 60_000;

export interface Zones {
  of(device: string): string | undefined;
  /** Asks the gateway; an unknown device has the zone "". Never throws: a record must not wait for ever. */
  learn(device: string): Promise<void>;
}

export function createZones(client: ApiClient, now: () => number = () => performance.now()): Zones {
  const known = new Map<string, { zone: string; at: number }>();
  return {
    of(device) {
      const entry = known.get(device);
      return entry && now() - entry.at < FRESH_MS ? entry.zone : undefined;
    },
    async learn(device) {
      const zone = await client
        .call(`/devices/${encodeURIComponent(device)}`)
        .then(({ body }) => (body as DeviceView).zone)
        .catch(() => known.get(device)?.zone ?? '');
      known.set(device, { zone, at: now() });
    },
  };
}
