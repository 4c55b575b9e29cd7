/** Checks one entry by itself: shape, text, times, plate. What it has to do with other entries is check-site.ts. */
import { scenarioOf } from '../contracts/index.ts';
import { type Entry, type EntryOf, entryTypes, idOf, type Site } from './entries.ts';
import { isPlate, normalisePlate } from './plate.ts';
import { type EntryKind, type Problem, shown } from './problem.ts';
import { type Finding, findings } from './shape.ts';
import { isInstant, isTimeZone } from './site-time.ts';

const MAX_SETTINGS = 64;
const SETTING_KEY = /^[A-Za-z][A-Za-z0-9]{0,63}$/;
/** C0, C1, line separators, lone surrogates, and the marks that turn the writing direction: a text must read as it is. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Surrogate}\ufeff]/u;
const REQUIRED_TEXT: Readonly<Record<EntryKind, readonly string[]>> = {
  site: ['name'],
  zone: ['name'],
  device: ['name'],
  person: ['name'],
  vehicle: ['plate'],
  credential: ['value'],
};

export interface Checked<K extends EntryKind = EntryKind> {
  readonly id: string;
  readonly entry: EntryOf[K];
  readonly problems: readonly Problem[];
}

/**
 * One spelling for texts (NFC, no blanks at the ends) and plates, then every rule an entry can break by itself.
 * `entry` may be trusted only if there are no problems.
 */
export function checkEntry<K extends EntryKind>(kind: K, input: unknown): Checked<K> {
  const { schema, codes, key } = entryTypes[kind];
  const tidy = tidied(input, 2);
  const entry = (kind === 'vehicle' ? withPlate(tidy) : tidy) as EntryOf[K];
  const raw =
    typeof entry === 'object' && entry !== null ? (entry as unknown as Record<string, unknown>)[key] : undefined;
  const id = typeof raw === 'string' ? raw : '';
  const found = findings(schema, entry);
  const rest = found.length > 0 ? [] : [...blanks(kind, entry), ...ownRules(kind, entry)];
  const problems = [...plainSecrets(kind, found), ...controls(entry, []), ...rest].map((finding) => ({
    ...finding,
    code: codes.invalid,
    kind,
    id,
  }));
  return { id: problems.length > 0 ? id : idOf(kind, entry as Entry), entry, problems };
}

/** @param depth levels whose texts lose blanks at their ends; below (addresses) a blank may belong to a secret. */
function tidied(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return depth > 0 ? value.normalize('NFC').trim() : value.normalize('NFC');
  if (Array.isArray(value)) return value.map((item) => tidied(item, depth - 1));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, tidied(item, depth - 1)]));
}

const withPlate = (vehicle: unknown): unknown =>
  typeof vehicle === 'object' && vehicle !== null && 'plate' in vehicle && typeof vehicle.plate === 'string'
    ? { ...vehicle, plate: normalisePlate(vehicle.plate) }
    : vehicle;

function blanks(kind: EntryKind, entry: Entry): Finding[] {
  const by = entry as unknown as Readonly<Record<string, unknown>>;
  return REQUIRED_TEXT[kind].filter((key) => by[key] === '').map((key) => ({ what: 'empty', path: [key], fill: {} }));
}

function controls(value: unknown, path: readonly (string | number)[]): Finding[] {
  if (typeof value === 'string') {
    const bad = CONTROL.exec(value)?.[0];
    if (bad === undefined) return [];
    const point = `U+${(bad.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
    return [{ what: 'controlCharacter', path, fill: { point } }];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    controls(item, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

/** A password written out is the likelier mistake than a wrong type, and wants another remedy. */
function plainSecrets(kind: EntryKind, found: readonly Finding[]): Finding[] {
  if (kind !== 'site') return [...found];
  return found.map((finding) => {
    const [list, index, key] = finding.path;
    const plain = list === 'uplinks' && typeof index === 'number' && key === 'password' && finding.what === 'wrongType';
    return plain ? { what: 'plainSecret', path: finding.path, fill: {} } : finding;
  });
}

function ownRules(kind: EntryKind, entry: Entry): Finding[] {
  if (kind === 'site') return siteRules(entry as Site);
  if (kind === 'device') return settingRules((entry as EntryOf['device']).settings ?? {});
  if (kind === 'vehicle') {
    const vehicle = entry as EntryOf['vehicle'];
    const value = shown(vehicle.plate);
    return [
      ...(isPlate(vehicle.plate) ? [] : [{ what: 'badPlate', path: ['plate'], fill: { value } } as const]),
      ...validityRules(vehicle),
    ];
  }
  return kind === 'credential' ? validityRules(entry as EntryOf['credential']) : [];
}

function siteRules({ timeZone, uplinks = [], alarms }: Site): Finding[] {
  const found: Finding[] = [...alarmRules(alarms)];
  if (!isTimeZone(timeZone)) found.push({ what: 'badTimeZone', path: ['timeZone'], fill: { value: shown(timeZone) } });
  const seen = new Set<string>();
  uplinks.forEach(({ id, url, filter }, index) => {
    const path = ['uplinks', index];
    if (seen.has(id)) found.push({ what: 'exists', path: [...path, 'id'], fill: { id } });
    seen.add(id);
    const servers = serversOf(url);
    if (servers.some((server) => server?.password)) {
      found.push({ what: 'plainSecret', path: [...path, 'url'], fill: {} });
    } else if (servers.some((server) => !server?.hostname || !/^mqtts?:$/.test(server.protocol))) {
      found.push({ what: 'badUrl', path: [...path, 'url'], fill: { value: shown(url) } });
    }
    filter?.scenarios?.forEach((scenario, place) => {
      if (scenario === 'gateway' || scenarioOf(scenario)) return;
      const at = [...path, 'filter', 'scenarios', place];
      found.push({ what: 'scenarioUnknown', path: at, fill: { value: shown(scenario) } });
    });
  });
  return found;
}

function alarmRules({ booths = [], escalation = {} }: NonNullable<Site['alarms']> = {}): Finding[] {
  const found: Finding[] = [];
  const seen = new Set<string>();
  booths.forEach(({ id }, index) => {
    if (seen.has(id)) found.push({ what: 'exists', path: ['alarms', 'booths', index, 'id'], fill: { id } });
    seen.add(id);
  });
  for (const priority of ['p1', 'p2', 'p3', 'p4'] as const) {
    const times = (escalation[priority] ?? []).map(({ afterSeconds }) => afterSeconds);
    const late = times.findIndex((time, index) => index > 0 && time <= (times[index - 1] ?? 0));
    const path = (index: number) => ['alarms', 'escalation', priority, index, 'afterSeconds'];
    if (late > 0) found.push({ what: 'escalationOrder', path: path(late), fill: {} });
    if (priority === 'p1' && (times[0] ?? 0) > 60)
      found.push({ what: 'escalationLate', path: path(0), fill: { value: `${times[0]}` } });
  }
  return found;
}

/** Several servers of one cluster stand in a comma list, where the later ones may leave out the scheme. */
function serversOf(url: string): (URL | null)[] {
  const parts = url.split(',').map((part) => part.trim());
  const scheme = /^[a-z]+:\/\//.exec(parts[0] ?? '')?.[0] ?? '';
  return parts.map((part) => URL.parse(part.includes('://') ? part : `${scheme}${part}`));
}

function settingRules(settings: Readonly<Record<string, unknown>>): Finding[] {
  const keys = Object.keys(settings);
  const limit = `${MAX_SETTINGS}`;
  if (keys.length > MAX_SETTINGS)
    return [{ what: 'tooMany', path: ['settings'], fill: { length: `${keys.length}`, limit } }];
  return keys
    .filter((key) => !SETTING_KEY.test(key))
    .map((key) => ({
      what: 'badForm',
      path: ['settings', key],
      fill: { value: shown(key), pattern: SETTING_KEY.source },
    }));
}

/** What vehicles and credentials have in common: when and where they are good. */
function validityRules({
  validFrom,
  validTo,
  schedule,
  zones,
}: Pick<EntryOf['vehicle'], 'validFrom' | 'validTo' | 'schedule' | 'zones'>): Finding[] {
  const found: Finding[] = [];
  for (const [key, at] of Object.entries({ validFrom, validTo })) {
    if (at !== undefined && !isInstant(at)) {
      found.push({ what: 'badInstant', path: [key], fill: { value: `${at}` } });
    }
  }
  if (validFrom !== undefined && validTo !== undefined && validTo <= validFrom) {
    found.push({ what: 'validityOrder', path: ['validTo'], fill: {} });
  }
  if (zones?.length === 0) found.push({ what: 'empty', path: ['zones'], fill: {} });
  if (!schedule) return found;
  if (schedule.days.length === 0) found.push({ what: 'noDays', path: ['schedule', 'days'], fill: {} });
  for (const [key, last] of [
    ['from', '23:59'],
    ['to', '24:00'],
  ] as const) {
    if (schedule[key] > last) found.push({ what: 'badTime', path: ['schedule', key], fill: { value: schedule[key] } });
  }
  return found;
}
