/** What is held now and until when: an elevator, a closed gate, a locked door (reliability.md F1-F3). */
import type { CommandView } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';
import type { JournalRecord } from '../../contracts/record.ts';

export interface Held {
  /** Command that holds; renewing names it. */
  readonly command: string;
  readonly device: string;
  readonly scenario: string;
  readonly actor: string;
  /** Gateway time at which it is let go by itself, unless renewed. */
  readonly until: number;
  readonly renewedAt?: number;
}
export type HeldBook = ReadonlyMap<string, Held>;

/** What holds now, from `GET /commands?held=true`. @param scenarioOf the scenario of a device */
export const heldFrom = (commands: readonly CommandView[], scenarioOf: (device: string) => string): HeldBook =>
  new Map(
    commands.flatMap(({ id, device, actor, lease }) =>
      lease ? [[id, { command: id, device, scenario: scenarioOf(device), actor, until: lease.until }] as const] : [],
    ),
  );

/** @returns The same book when no record is about what is held. */
export function foldLeases(book: HeldBook, records: readonly JournalRecord[]): HeldBook {
  let next: Map<string, Held> | undefined;
  for (const record of records) {
    if (record.kind !== 'state' || !record.name.startsWith('lease.')) continue;
    const { command, until } = record.data as { command?: string; until?: number };
    if (command === undefined) continue;
    next ??= new Map(book);
    const known = next.get(command);
    if (record.name === 'lease.released') next.delete(command);
    else if (until !== undefined)
      next.set(command, {
        command,
        device: record.device,
        scenario: record.scenario,
        until,
        actor: known?.actor ?? record.actor ?? '',
        ...(record.name === 'lease.renewed' ? { renewedAt: record.received } : {}),
      });
  }
  return next ?? book;
}

/** What holds and what lets go, by the contract; undefined for a scenario that holds nothing. */
export function leaseOf(scenario: string): { name: string; release: string } | undefined {
  const found = Object.entries(scenarioOf(scenario)?.commands ?? {}).find(([, kind]) => kind.lease !== undefined);
  return found?.[1].lease && { name: found[0], release: found[1].lease.release };
}
