/** The part of a node that hands out records: follows, drops what is too old to act on, shows how it goes. */
import type { JournalRecord } from '../runtime/contracts/record.ts';
import { NodeFailure } from './failures.ts';
import type { Gateway } from './gateway.ts';
import type { Light } from './light.ts';
import { messageOf } from './message.ts';
import type { FlowNode, NodeDefinition } from './red.ts';
import type { Selection } from './selection.ts';

const DEFAULT_MAX_AGE_S = 30;

/** Seconds after which a record no longer leaves, e.g. after an outage: a gate must not open late. */
export function readMaxAge({ maxAgeSeconds }: NodeDefinition): number {
  const seconds = Number(maxAgeSeconds);
  return maxAgeSeconds !== '' && Number.isFinite(seconds) && seconds > 0
    ? Math.min(seconds, 86_400)
    : DEFAULT_MAX_AGE_S;
}

interface Source {
  readonly gateway: Gateway;
  readonly node: FlowNode;
  readonly light: Light;
  readonly selection: Selection;
  readonly maxAgeSeconds: number;
}

/** @returns what ends it */
export function followRecords({ gateway, node, light, selection, maxAgeSeconds }: Source): () => void {
  if (selection.ticks.size === 0) return () => {};
  const record = (found: JournalRecord) => {
    const age = Date.now() - found.received;
    if (age > maxAgeSeconds * 1000 && !gateway.replay) {
      light.set({ skipped: (light.condition().skipped ?? 0) + 1, skippedAge: age });
      return;
    }
    node.send([messageOf(found, gateway.site()?.id ?? '', gateway.replay)]);
    light.set({ skipped: 0, goodAt: Date.now() });
  };
  return gateway.follow(selection, { record, connection: (connection) => light.set({ connection }) });
}

/** Watches the link of one device, so that the node shows when it is gone. */
export function followLink(gateway: Gateway, light: Light, scenarios: readonly string[], device: string): () => void {
  const show = (state: unknown, since: number) => {
    if (state === 'offline') light.set({ offlineSince: since });
    else if (light.condition().offlineSince !== undefined) light.set({ offlineSince: undefined, goodAt: since });
  };
  const selection: Selection = { scenarios, pick: { by: 'device', device }, ticks: new Set(['state:link']) };
  return gateway.follow(selection, {
    record: ({ data, received }) => show((data as { state?: unknown } | null)?.state, received),
    connection: ({ online }) => {
      if (!online) return;
      // What was so before we came; the stream tells what changes from here.
      gateway.device(device).then(
        ({ link }) => {
          light.set({ unconfigured: undefined });
          show(link.state, link.since);
        },
        (error: unknown) => {
          // No such device, or not any more; a gateway that is away says nothing about that.
          if (error instanceof NodeFailure && error.code === 'GH_BAD_INPUT') light.set({ unconfigured: true });
        },
      );
    },
  });
}
