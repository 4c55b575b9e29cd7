/** A change of the inventory before it is committed: what is wrong with it as a whole, and its record in the audit. */
import type { Uplink, Zone } from '../contracts/api.ts';
import type { Draft } from '../contracts/record.ts';
import { checkSite, type Put } from './check-site.ts';
import { type Catalogue, resolveDevice, type Wiring } from './device.ts';
import { auditView, type Entry, entryTypes } from './entries.ts';
import type { Lookups } from './lookups.ts';
import type { EntryKind, Problem } from './problem.ts';
import type { Register } from './register.ts';

/** The inventory as it is now. */
interface Present {
  readonly catalogue: Catalogue;
  readonly devices: Register;
  readonly zones: ReadonlyMap<string, Zone>;
  readonly lookups: Lookups;
}

/** @param named everything the change names: what is wrong by itself is not also reported as missing */
export function checkChange(
  puts: readonly Put[],
  named: readonly { readonly kind: EntryKind; readonly id: string }[],
  { catalogue, devices, zones, lookups }: Present,
): Problem[] {
  const names = new Set(named.map(({ kind, id }) => `${kind} ${id}`));
  const problems: Problem[] = [];
  const changed = new Map<string, Wiring>();
  const parents = new Map<string, string | undefined>();
  const above = new Map<string, string | undefined>();
  const owners = new Map<string, string>();
  for (const put of puts) {
    if (put.kind === 'zone') parents.set(put.id, put.entry.parent);
    if (put.kind === 'credential') {
      const value = `${put.entry.kind}\n${put.entry.value}`;
      if (!owners.has(value)) owners.set(value, put.id);
    }
    if (put.kind !== 'device') continue;
    above.set(put.id, put.entry.parent);
    const resolved = resolveDevice(put.entry, catalogue);
    if ('problems' in resolved)
      problems.push(...resolved.problems.map((problem) => ({ ...problem, index: put.index })));
    else changed.set(put.id, resolved.wiring);
  }
  const kept = [...devices.wirings()].filter(([id]) => !names.has(`device ${id}`));
  const found = checkSite(puts, {
    wirings: new Map([...kept, ...changed]),
    parentOf: (zone) => (parents.has(zone) ? parents.get(zone) : zones.get(zone)?.parent),
    hasZone: (id) => names.has(`zone ${id}`) || zones.has(id),
    deviceAbove: (id) => (above.has(id) ? above.get(id) : devices.input(id)?.parent),
    hasDevice: (id) => names.has(`device ${id}`) || devices.input(id) !== undefined,
    hasPerson: (id) => names.has(`person ${id}`) || lookups.find('person', id) !== undefined,
    ownerOf: (kind, value) => {
      const stored = lookups.credentialByValue(kind, value)?.id;
      const stays = stored !== undefined && !names.has(`credential ${stored}`);
      return stays ? stored : owners.get(`${kind}\n${value}`);
    },
  });
  return [...problems, ...found];
}

/** The second and later entries of one kind with one id; `first` is the place of the first. */
export function repeated(entries: readonly { kind: EntryKind; id: string; index: number }[]): Problem[] {
  const firsts = new Map<string, number>();
  return entries.flatMap(({ kind, id, index }) => {
    const name = `${kind} ${id}`;
    const first = firsts.get(name);
    if (first === undefined) firsts.set(name, index);
    if (first === undefined || id === '') return [];
    const { invalid } = entryTypes[kind].codes;
    return [{ what: 'repeated', code: invalid, kind, id, index, path: [], fill: { id, first: `${first}` } } as const];
  });
}

export function audit(
  kind: EntryKind,
  id: string,
  before: Entry | undefined,
  after: Entry | undefined,
  actor: string,
): Draft {
  const verb = after ? (before ? 'updated' : 'created') : 'deleted';
  return {
    lane: 'L0',
    kind: 'audit',
    scenario: 'gateway',
    device: kind === 'device' ? id : '',
    name: `inventory.${kind}.${verb}`,
    data: {
      id,
      ...(before ? { before: auditView(kind, before) } : {}),
      ...(after ? { after: auditView(kind, after) } : {}),
    },
    actor,
  };
}

/** An uplink holds no secret, only where it is to be found. */
export const auditUplink = (before: Uplink | undefined, after: Uplink | undefined, actor: string): Draft => ({
  lane: 'L0',
  kind: 'audit',
  scenario: 'gateway',
  device: '',
  name: `inventory.uplink.${after ? (before ? 'updated' : 'created') : 'deleted'}`,
  data: { id: (after ?? before)?.id, ...(before ? { before } : {}), ...(after ? { after } : {}) },
  actor,
});
