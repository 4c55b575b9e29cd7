/**
 * Whether a connection over loopback comes from a process the gateway itself has started. The flow process may open
 * sockets, for flows talk to other systems of the site; what needs no log-in because a person stands at the screen must
 * not be reached that way (reliability.md N9, F8). It can start nothing, so whoever holds the socket is the caller.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Socket } from 'node:net';

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;
const portOf = (address = ''): number => Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16);
/** A process may end while it is looked at. */
const gone = () => undefined;

/** Inode of the other end of a connection within this machine. */
async function peerInode(from: number, to: number): Promise<string | undefined> {
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(table, 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      const fields = line.trim().split(/\s+/);
      if (portOf(fields[1]) === from && portOf(fields[2]) === to) return fields[9];
    }
  }
  return undefined;
}

/** Processes this one has started, and those that they have. */
async function descendants(): Promise<Set<string>> {
  const parents = new Map<string, string>();
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${id}/stat`, 'utf8').catch(gone);
    // The name, in parentheses, may hold anything.
    if (stat !== undefined) parents.set(id, stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? '');
  }
  const found = new Set([String(process.pid)]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const [id, parent] of parents) if (found.has(parent)) found.add(id);
  }
  found.delete(String(process.pid));
  return found;
}

/** False where the system does not tell: a person who presses must not be refused for it. */
export async function isOwnChild({ remoteAddress, remotePort, localPort }: Socket): Promise<boolean> {
  if (remoteAddress === undefined || remotePort === undefined || localPort === undefined) return false;
  if (process.platform !== 'linux' || !LOOPBACK.test(remoteAddress)) return false;
  const inode = await peerInode(remotePort, localPort);
  if (inode === undefined) return false;
  for (const id of await descendants()) {
    for (const fd of await readdir(`/proc/${id}/fd`).catch(() => []))
      if ((await readlink(`/proc/${id}/fd/${fd}`).catch(gone)) === `socket:[${inode}]`) return true;
  }
  return false;
}
