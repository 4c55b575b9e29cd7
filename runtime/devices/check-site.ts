/** Checks entries against each other: references, addresses, lines, cards. Pure; sees the site as it would be afterwards. */
import type { Wiring } from './device.ts';
import { type EntryOf, entryTypes } from './entries.ts';
import { type EntryKind, type Problem, shown, type What } from './problem.ts';

/** One entry to be stored, checked by itself; `index` is its place in the change. */
export type Put = {
  readonly [K in EntryKind]: {
    readonly kind: K;
    readonly id: string;
    readonly index: number;
    readonly entry: EntryOf[K];
  };
}[EntryKind];

/** The site as it would be with the change in it. */
export interface Staged {
  /** Wiring of every device; those that stay as they are come first. */
  readonly wirings: ReadonlyMap<string, Wiring>;
  parentOf(zone: string): string | undefined;
  hasZone(id: string): boolean;
  hasDevice(id: string): boolean;
  /** The device in front of a device. */
  deviceAbove(id: string): string | undefined;
  hasPerson(id: string): boolean;
  /** The credential that has this value. */
  ownerOf(kind: string, value: string): string | undefined;
}

export function checkSite(puts: readonly Put[], staged: Staged): Problem[] {
  return [...puts.flatMap((put) => references(put, staged)), ...wires(puts, staged)];
}

function references(put: Put, staged: Staged): Problem[] {
  const tell = (what: What, path: Problem['path'], value: string): Problem =>
    problem(put, what, path, { value: shown(value) });
  const unknownZones = (zones: readonly string[] = []) =>
    zones.flatMap((zone, index) => (staged.hasZone(zone) ? [] : [tell('zoneUnknown', ['zones', index], zone)]));
  const unknownPerson = (person: string | undefined) =>
    person === undefined || staged.hasPerson(person) ? [] : [tell('personUnknown', ['person'], person)];
  switch (put.kind) {
    case 'site': {
      const { alarms, linkages = [] } = put.entry;
      const unknown = (zones: readonly string[], ...path: (string | number)[]) =>
        zones.flatMap((zone, place) => (staged.hasZone(zone) ? [] : [tell('zoneUnknown', [...path, place], zone)]));
      return [
        ...(alarms?.booths ?? []).flatMap(({ zones }, index) => unknown(zones, 'alarms', 'booths', index, 'zones')),
        ...linkages.flatMap(({ from, to }, index) => [
          ...unknown(from, 'linkages', index, 'from'),
          ...unknown(to, 'linkages', index, 'to'),
        ]),
      ];
    }
    case 'person':
      return [];
    case 'zone': {
      const { parent } = put.entry;
      if (parent === undefined) return [];
      if (!staged.hasZone(parent)) return [tell('zoneUnknown', ['parent'], parent)];
      return isOwnAncestor(put.id, staged.parentOf) ? [tell('zoneLoop', ['parent'], put.id)] : [];
    }
    case 'device': {
      const { zone, cameras = [] } = put.entry;
      const unseen = cameras.flatMap((camera, index) =>
        staged.hasDevice(camera) ? [] : [tell('cameraUnknown', ['cameras', index], camera)],
      );
      const above = parentFault(put.id, put.entry.parent, staged);
      const found = [...unseen, ...(above ? [tell(above, ['parent'], put.entry.parent ?? '')] : [])];
      return staged.hasZone(zone) ? found : [tell('zoneUnknown', ['zone'], zone), ...found];
    }
    case 'vehicle':
      return [...unknownPerson(put.entry.person), ...unknownZones(put.entry.zones)];
    case 'credential': {
      const { kind, value, person, zones } = put.entry;
      const other = staged.ownerOf(kind, value);
      const taken =
        other === undefined || other === put.id
          ? []
          : [{ ...problem(put, 'credentialTaken', ['value'], { other }), code: 'inventory.conflict' as const }];
      return [...taken, ...unknownPerson(person), ...unknownZones(zones)];
    }
  }
}

const problem = ({ kind, id, index }: Put, what: What, path: Problem['path'], fill: Problem['fill']): Problem => ({
  what,
  code: entryTypes[kind].codes.invalid,
  kind,
  id,
  index,
  path,
  fill,
});

function parentFault(id: string, parent: string | undefined, staged: Staged): What | undefined {
  if (parent === undefined) return undefined;
  if (!staged.hasDevice(parent)) return 'parentUnknown';
  return isOwnAncestor(id, staged.deviceAbove) ? 'parentLoop' : undefined;
}

function isOwnAncestor(id: string, parentOf: Staged['parentOf']): boolean {
  const seen = new Set<string>();
  for (let at = parentOf(id); at !== undefined && !seen.has(at); at = parentOf(at)) {
    if (at === id) return true;
    seen.add(at);
  }
  return false;
}

/** Two devices with one address, and one line spoken two ways. Only what the change touches is blamed. */
function wires(puts: readonly Put[], { wirings }: Staged): Problem[] {
  const byDevice = new Map(puts.filter((put) => put.kind === 'device').map((put) => [put.id, put]));
  const byIdentity = new Map<string, string>();
  const byLine = new Map<string, { id: string; settings: Readonly<Record<string, string>> }>();
  const found: Problem[] = [];
  for (const [id, { identity, line }] of wirings) {
    const put = byDevice.get(id);
    const other = byIdentity.get(identity);
    if (other === undefined) byIdentity.set(identity, id);
    else if (put) {
      const fill = { id, other, address: shown(identity) };
      found.push({ ...problem(put, 'addressTaken', ['address'], fill), code: 'device.address_taken' });
    }
    if (!line) continue;
    const first = byLine.get(line.name);
    if (!first) byLine.set(line.name, { id, settings: line.settings });
    else if (put) {
      const key = Object.keys({ ...first.settings, ...line.settings }).find(
        (one) => first.settings[one] !== line.settings[one],
      );
      if (key === undefined) continue;
      const values = { value: line.settings[key] ?? '-', otherValue: first.settings[key] ?? '-' };
      found.push(
        problem(put, 'lineDiffers', ['address', key], { id, other: first.id, line: line.name, key, ...values }),
      );
    }
  }
  return found;
}
