/**
 * The site file: a compound written down in YAML, imported whole or not at all. It creates what is new, updates what
 * differs and leaves everything it does not name alone, so importing it twice changes nothing the second time.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { TSchema } from 'typebox';
import type { Words } from '../contracts/words.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import { entryTypes, siteInput } from './entries.ts';
import type { Inventory, Outcome } from './inventory.ts';
import { type EntryKind, explainWith, type Problem, pathText, shown, type Told, type What } from './problem.ts';
import { type ProblemWords, problemWords } from './problem.words.ts';
import { nearest } from './shape.ts';
import { siteFileWords } from './site-file.words.ts';
import { instantOf, isTimeZone } from './site-time.ts';
import { type Path, readYaml, type SiteYaml } from './site-yaml.ts';

export interface SiteFile {
  /** As it is named in problems. */
  readonly name: string;
  readonly bytes: Uint8Array;
}
/** One thing that is wrong, where, and what to do about it. */
export interface SiteProblem extends Told {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `devices[3].address.port` */
  readonly path: string;
}
export type ImportReport = Omit<Outcome, 'problems'>;

/** An entry of the inventory and where in the file it stands. */
interface Located {
  readonly kind: EntryKind;
  readonly entry: unknown;
  readonly path: Path;
}
type Fill = Readonly<Record<string, string>>;
type Tell = (words: ProblemWords, path: Path, fill?: Fill, at?: 'key' | 'value') => void;
type Group = Readonly<Record<string, unknown>>;

const MIB = 1 << 20;
const MAX_BYTES = 4 * MIB;
/** More than a person corrects in one go. */
const MAX_TOLD = 100;
const LISTS: ReadonlyMap<string, EntryKind> = new Map([
  ['zones', 'zone'],
  ['devices', 'device'],
  ['people', 'person'],
  ['vehicles', 'vehicle'],
  ['credentials', 'credential'],
] as const);
const OF_SITE = ['network', 'uplinks', 'storage', 'alarms', 'location', 'calendar', 'linkages'];
const KEYS = ['site', ...OF_SITE, ...LISTS.keys()];
const KEYS_ONLY = /^[^.[]+$/;
const DANGLING: ReadonlySet<What> = new Set(['zoneUnknown', 'personUnknown', 'cameraUnknown', 'parentUnknown']);
const INSTANTS = { validFrom: 'start', validTo: 'end' } as const;

/** `site.yaml:12:5 devices[3].adress: unknown key … – did you mean …?` */
export const problemText = ({ file, line, column, path, what, remedy }: SiteProblem, language: keyof Words): string =>
  `${file}:${line}:${column} ${path ? `${path}: ` : ''}${what[language]} – ${remedy[language]}`;

/** @throws GatehouseError `site.unreadable` */
export function loadSiteFile(path: string): SiteFile {
  try {
    return { name: basename(path), bytes: readFileSync(path) };
  } catch (error) {
    throw new GatehouseError('site.unreadable', `${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * @returns how many entries were created, updated and left as they were.
 * @throws GatehouseError `site.invalid`, with every {@link SiteProblem} in `detail.problems`; nothing was changed then.
 */
export async function importSite(inventory: Inventory, file: SiteFile, actor: string): Promise<ImportReport> {
  const yaml = readYaml(decode(file), wantsText);
  if (yaml.findings.length > 0) {
    throw invalid(
      yaml.findings.map(({ what, offset, path, fill }) => ({
        file: file.name,
        ...yaml.placeOf(offset),
        path: pathText(path),
        ...explainWith(siteFileWords[what], fill),
      })),
    );
  }
  const problems: SiteProblem[] = [];
  const tell: Tell = (words, path, fill = {}, at = 'value') =>
    void problems.push({ file: file.name, ...yaml.place(path, at), path: pathText(path), ...explainWith(words, fill) });
  const entries = entriesOf(yaml.value, inventory, tell);
  // A list that is misspelt or none leaves everything that refers into it dangling: that is told once, at the list.
  const torn = problems.some(({ path }) => path === '' || KEYS_ONLY.test(path));
  const digest = createHash('sha256').update(file.bytes).digest('hex');
  const outcome =
    problems.length > 0
      ? { problems: inventory.check(entries), created: 0, updated: 0, unchanged: 0 }
      : await inventory.putAll(entries, actor, {
          note: ({ created, updated, unchanged }) => ({
            lane: 'L0',
            kind: 'audit',
            scenario: 'gateway',
            device: '',
            name: 'inventory.site.imported',
            data: { file: shown(file.name), sha256: digest, created, updated, unchanged },
            actor,
          }),
        });
  for (const problem of outcome.problems) {
    if (!torn || !DANGLING.has(problem.what)) tellOf(problem, entries, yaml, tell);
  }
  if (problems.length > 0) throw invalid(problems);
  const { created, updated, unchanged } = outcome;
  return { created, updated, unchanged };
}

function decode({ name, bytes }: SiteFile): string {
  const whole = (words: ProblemWords, fill: Fill = {}) =>
    invalid([{ file: name, line: 1, column: 1, path: '', ...explainWith(words, fill) }]);
  if (bytes.length > MAX_BYTES) {
    const [size, limit] = [(bytes.length / MIB).toFixed(1), `${MAX_BYTES / MIB}`];
    throw whole(siteFileWords.fileTooLarge, { size, limit });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw whole(siteFileWords.notUtf8); // a bare TypeError is all the decoder says
  }
}

function invalid(problems: readonly SiteProblem[]): GatehouseError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted.slice(0, 5).map((problem) => problemText(problem, 'en'));
  if (sorted.length > lines.length) lines.push(`… ${sorted.length} problems in all`);
  return new GatehouseError('site.invalid', lines.join('\n'), {
    detail: { problems: sorted.slice(0, MAX_TOLD), total: sorted.length },
  });
}

/** Whether the schema of the entry at this path wants text there; an instant is written as text, too. */
function wantsText([list, ...below]: Path): boolean {
  const kind = LISTS.get(String(list));
  let schema: TSchema | undefined = kind ? entryTypes[kind].schema : siteInput;
  const steps = kind ? below.slice(1) : list === 'site' ? below : [list ?? '', ...below];
  for (const step of steps) {
    const { properties, items } = schema as { properties?: Record<string, TSchema>; items?: TSchema };
    if (typeof step === 'string' && Object.hasOwn(INSTANTS, step)) return true;
    schema = typeof step === 'number' ? items : Object.hasOwn(properties ?? {}, step) ? properties?.[step] : undefined;
    if (!schema) return false;
  }
  return (schema as { type?: string }).type === 'string';
}

function entriesOf(top: unknown, inventory: Inventory, tell: Tell): Located[] {
  if (top === undefined || top === null) tell(siteFileWords.emptyFile, []);
  else if (!isGroup(top)) tell(siteFileWords.notAMapping, []);
  if (!isGroup(top)) return [];
  for (const key of Object.keys(top)) if (!KEYS.includes(key)) tellUnknown(tell, [key], KEYS);
  const entries = siteOf(top, inventory, tell);
  const timeZone = timeZoneOf(top, inventory);
  for (const [key, kind] of LISTS) {
    const list = top[key];
    if (list === undefined) continue;
    if (Array.isArray(list)) {
      list.forEach((item: unknown, index) => {
        const path = [key, index];
        entries.push({ kind, entry: isGroup(item) ? withInstants(item, timeZone, path, tell) : item, path });
      });
    } else tell(problemWords.wrongType, [key], { value: shown(list), type: 'array' });
  }
  return entries;
}

const isGroup = (value: unknown): value is Group =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function tellUnknown(tell: Tell, path: Path, known: readonly string[]): void {
  const key = String(path.at(-1));
  const near = nearest(key, known);
  if (near === undefined) tell(problemWords.unknownKey, path, { key: shown(key), known: known.join(', ') }, 'key');
  else tell(problemWords.unknownKeyNear, path, { key: shown(key), near }, 'key');
}

/** The site's own entry, out of its keys of the file; a key that is not there keeps what the inventory has. */
function siteOf({ site, ...rest }: Group, inventory: Inventory, tell: Tell): Located[] {
  const known = inventory.hasSite() ? inventory.site() : undefined;
  if (site === undefined && !known) {
    tell(problemWords.missingKey, [], { key: 'site' });
    return [];
  }
  if (site !== undefined && !isGroup(site)) {
    tell(problemWords.wrongType, ['site'], { value: shown(site), type: 'object' });
    return [];
  }
  for (const key of OF_SITE)
    if (site && Object.hasOwn(site, key)) tellUnknown(tell, ['site', key], ['id', 'name', 'timeZone']);
  if (known && typeof site?.id === 'string' && site.id !== known.id) {
    tell(problemWords.otherSite, ['site', 'id'], { id: shown(site.id), other: known.id });
  }
  const own = Object.entries(site ?? {}).filter(([key]) => !OF_SITE.includes(key));
  const parts = Object.fromEntries(OF_SITE.flatMap((key) => (rest[key] === undefined ? [] : [[key, rest[key]]])));
  return [{ kind: 'site', entry: { ...known, ...Object.fromEntries(own), ...parts }, path: [] }];
}

function timeZoneOf({ site }: Group, inventory: Inventory): string {
  const written = isGroup(site) ? site.timeZone : undefined;
  return typeof written === 'string' && isTimeZone(written) ? written : inventory.site().timeZone;
}

/** Dates and times as people write them, in site time, become instants. */
function withInstants(entry: Group, timeZone: string, path: Path, tell: Tell): Group {
  const changed: Record<string, unknown> = { ...entry };
  for (const [key, edge] of Object.entries(INSTANTS)) {
    const written = entry[key];
    if (typeof written !== 'string') continue;
    const at = instantOf(written, timeZone, edge);
    if (at === undefined) {
      tell(problemWords.badInstant, [...path, key], { value: shown(written) });
      delete changed[key];
    } else changed[key] = at;
  }
  return changed;
}

/** What the inventory says about an entry, at its place in the file. */
function tellOf(problem: Problem, entries: readonly Located[], yaml: SiteYaml, tell: Tell): void {
  const { what, fill } = problem;
  const entry = entries[problem.index ?? 0];
  const below = problem.kind === 'site' && !OF_SITE.includes(String(problem.path[0])) ? ['site'] : [];
  const path = [...(entry?.path ?? []), ...below, ...problem.path];
  if (what === 'repeated') {
    const { line } = yaml.place(entries[Number(fill.first)]?.path ?? [], 'value');
    tell(siteFileWords.repeatedAt, path, { ...fill, line: `${line}` });
  } else tell(problemWords[what], path, fill, what === 'unknownKey' || what === 'unknownKeyNear' ? 'key' : 'value');
}
