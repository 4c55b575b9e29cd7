/** Which files of a data directory go into an archive, under which names, and where a name belongs. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from './archive.ts';

/** The first part of a name is its folder; what follows is the file's own name. */
const FOLDERS = ['secrets', 'uplink-secrets', 'flows', 'tls'] as const;
const FLOW_FILES = ['flows.json', 'flows_cred.json'];
const NAME = /^[a-z0-9._-]{1,64}$/;
export const DATABASE = 'gatehouse.db';
/** The box's own key is not in the archives it opens. */
const isLeftOut = (name: string): boolean =>
  name.startsWith('backup.') || name.startsWith('.') || name.endsWith('.new');
const TRIES = 10;

/** @returns the path below the data directory, or undefined for a name no archive of ours has */
export function placeOf(name: string): string | undefined {
  if (!NAME.test(name)) return undefined;
  if (name === DATABASE) return name;
  for (const folder of FOLDERS) {
    const rest = name.startsWith(`${folder}.`) ? name.slice(folder.length + 1) : '';
    if (/^[a-z0-9_]/.test(rest) && !isLeftOut(rest)) return join(folder, rest);
  }
  return undefined;
}

/** Everything but the database: small files, read whole. */
export function filesOf(directory: string): Entry[] {
  const entriesOf = (folder: string, names: readonly string[]): Entry[] =>
    names.map((name) => ({ name: `${folder}.${name}`, content: readFileSync(join(directory, folder, name)) }));
  return [
    ...entriesOf('secrets', filesIn(join(directory, 'secrets'))),
    ...entriesOf('uplink-secrets', filesIn(join(directory, 'uplink-secrets'))),
    ...entriesOf('tls', filesIn(join(directory, 'tls'))),
    ...flowPair(join(directory, 'flows'), (names) => entriesOf('flows', names)),
  ];
}

const filesIn = (folder: string): string[] =>
  listOf(folder).filter((name) => !isLeftOut(name) && NAME.test(name) && statSync(join(folder, name)).isFile());

/** Flows and their credentials belong together: read again when a deploy came between the two. */
function flowPair(folder: string, read: (names: readonly string[]) => Entry[]): Entry[] {
  for (let tries = 0; ; tries++) {
    const names = FLOW_FILES.filter((name) => listOf(folder).includes(name));
    const stamp = () =>
      JSON.stringify(names.map((name) => [statSync(join(folder, name)).mtimeMs, statSync(join(folder, name)).ino]));
    const before = stamp();
    const entries = read(names);
    if (before === stamp()) return entries;
    if (tries > TRIES) throw new Error('the flows change all the time');
  }
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
