/** Which records a node wants: picked by device, zone or all, and ticked one by one or by kind. Pure. */
import { type JournalRecord, type Kind, kinds } from '../runtime/contracts/record.ts';
import type { NodeDefinition } from './red.ts';
import { textOf } from './shapes.ts';

export type Pick =
  | { readonly by: 'all' }
  | { readonly by: 'device'; readonly device: string }
  | { readonly by: 'zone'; readonly zone: string };

export interface Selection {
  /** Empty: every scenario. */
  readonly scenarios: readonly string[];
  readonly pick: Pick;
  /** Ticked: `event:plate.read`, or `event:*` for the whole kind. */
  readonly ticks: ReadonlySet<string>;
}

/** @returns undefined where the form asks for a device or zone and none is given. */
export function readPick(definition: NodeDefinition): Pick | undefined {
  const device = textOf(definition.device);
  const zone = textOf(definition.zone);
  switch (definition.pick) {
    case 'device':
      return device === undefined ? undefined : { by: 'device', device };
    case 'zone':
      return zone === undefined ? undefined : { by: 'zone', zone };
    default:
      return { by: 'all' };
  }
}

export function readTicks(value: unknown): ReadonlySet<string> {
  return new Set(Array.isArray(value) ? value.filter((tick) => typeof tick === 'string') : []);
}

/** @param zonesOf the zones a device stands in, undefined while they are unknown */
export function wants(
  { scenarios, pick, ticks }: Selection,
  record: JournalRecord,
  zonesOf: (device: string) => readonly string[] | undefined,
): boolean {
  if (scenarios.length > 0 && !scenarios.includes(record.scenario)) return false;
  if (pick.by === 'device' && record.device !== pick.device) return false;
  if (pick.by === 'zone' && !zonesOf(record.device)?.includes(pick.zone)) return false;
  return ticks.has(`${record.kind}:*`) || ticks.has(`${record.kind}:${record.name}`);
}

/** What the shared stream must bring so that every selection is served. */
export interface StreamFilter {
  readonly kinds: readonly Kind[];
  /** Empty: all. */
  readonly scenarios: readonly string[];
}

export function unionOf(selections: readonly Selection[]): StreamFilter {
  const ticked = new Set(selections.flatMap(({ ticks }) => [...ticks].map((tick) => tick.slice(0, tick.indexOf(':')))));
  const all = selections.some(({ scenarios }) => scenarios.length === 0);
  return {
    kinds: kinds.filter((kind) => ticked.has(kind)),
    scenarios: all ? [] : [...new Set(selections.flatMap(({ scenarios }) => scenarios))],
  };
}
