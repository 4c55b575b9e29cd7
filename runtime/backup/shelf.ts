/** The archives of a data directory: names, what their headers say, and which of them go when there are too many. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parsePosition } from '../contracts/record.ts';
import { type Header, readHeader } from './seal.ts';

export interface Shelved extends Pick<Header, 'kind' | 'origin' | 'created' | 'gateway' | 'version' | 'head'> {
  readonly name: string;
  readonly bytes: number;
  /** Can be opened with a passphrase, so also on another box. */
  readonly portable: boolean;
}

const NAME = /^\d{8}-\d{6}(-\d{1,3})?\.ghb$/;
export const folderOf = (directory: string): string => join(directory, 'backups');
export const isName = (name: string): boolean => NAME.test(name);

/** Newest first by place in the journal, which no clock can turn round. A file that cannot be read is not one of them. */
export function shelved(directory: string): Shelved[] {
  const folder = folderOf(directory);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(isName)
    .flatMap((name) => {
      try {
        const { kind, origin, created, gateway, version, head, wraps } = readHeader(join(folder, name)).header;
        const portable = wraps.some((one) => one.kind === 'passphrase');
        const { size } = statSync(join(folder, name));
        return [{ name, kind, origin, created, gateway, version, head, bytes: size, portable }];
      } catch {
        return []; // half of one, or not ours: left alone
      }
    })
    .sort(newestFirst);
}

function newestFirst(a: Shelved, b: Shelved): number {
  const [one, other] = [parsePosition(a.head), parsePosition(b.head)];
  return (other?.epoch ?? 0) - (one?.epoch ?? 0) || (other?.seq ?? 0) - (one?.seq ?? 0) || b.name.localeCompare(a.name);
}

/** A free name for an archive made now, UTC. */
export function freeName(directory: string, now: number): string {
  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  for (let n = 1; ; n++) {
    const name = n === 1 ? `${stamp}.ghb` : `${stamp}-${n}.ghb`;
    if (!existsSync(join(folderOf(directory), name))) return name;
  }
}

/** Makes the folder, and removes what an interrupted backup left. */
export function prepareShelf(directory: string): void {
  const folder = folderOf(directory);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder)) {
    if (/\.ghb\.part$|^copy-/.test(name)) rmSync(join(folder, name), { force: true });
  }
}

/** Keeps the newest `keep` that nobody asked for by hand, and as many that somebody did. */
export function tidyShelf(directory: string, keep: number): void {
  const all = shelved(directory);
  for (const demanded of [true, false]) {
    const ours = all.filter(({ origin }) => (origin === 'demand') === demanded);
    for (const { name } of ours.slice(keep)) rmSync(join(folderOf(directory), name));
  }
}
