/** What a gateway looks at when it starts (reliability.md section 7): what it can mend it mends, the rest it tells. */
import { X509Certificate } from 'node:crypto';
import { chmodSync, chownSync, existsSync, lstatSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Draft, JournalRecord } from './contracts/record.ts';

/** Secrets and everything that could be read instead of them. A folder includes the files in it. */
const PRIVATE = [
  '.',
  'secrets',
  'uplink-secrets',
  'tls',
  'backups',
  'quarantine',
  'identity.json',
  'gatehouse.db',
  'gatehouse.db-wal',
  'gatehouse.db-shm',
];
const CERTIFICATE_DAYS = 30;
const DAY_MS = 86_400_000;
const LOW_SHARE = 0.1;

export interface Finding {
  readonly check: 'modes' | 'owner' | 'identity' | 'space' | 'clock' | 'certificate' | 'backup' | 'audit';
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface SelfCheckParts {
  readonly dataDir: string;
  readonly now: number;
  readonly clock: JournalRecord['clock'];
  /** Why the journal had to begin a new epoch. */
  readonly epochReason: string | undefined;
  /** What the tail of the audit chain does not answer for. */
  readonly auditFaults: readonly object[];
  /** ms UTC of the newest backup. */
  readonly lastBackup: number | undefined;
}

/** Runs every check. Files that others may read are closed to them here. */
export function selfCheck({ dataDir, now, clock, epochReason, auditFaults, lastBackup }: SelfCheckParts): Finding[] {
  return [
    ...closeToOthers(dataDir),
    ...(epochReason === undefined || epochReason === 'first'
      ? []
      : [{ check: 'identity', detail: { reason: epochReason } } as const]),
    ...spaceOf(dataDir),
    ...(clock === 'synced' ? [] : [{ check: 'clock', detail: { quality: clock } } as const]),
    ...certificateOf(dataDir, now),
    ...(auditFaults.length === 0 ? [] : [{ check: 'audit', detail: { faults: auditFaults.slice(0, 10) } } as const]),
    ...(epochReason === 'first' || (lastBackup !== undefined && now - lastBackup < 2 * DAY_MS)
      ? []
      : [{ check: 'backup', detail: { last: lastBackup ?? null } } as const]),
  ];
}

function closeToOthers(dataDir: string): Finding[] {
  const fixed: object[] = [];
  const strangers: string[] = [];
  const uid = process.getuid?.();
  const look = (path: string) => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat || !(stat.isFile() || stat.isDirectory())) return;
    const name = relative(dataDir, path) || '.';
    if (uid !== undefined && stat.uid !== uid) {
      if (uid === 0) chownSync(path, 0, 0);
      else strangers.push(name);
    }
    const mode = stat.mode & 0o777;
    const wanted = stat.isDirectory() ? 0o700 : 0o600;
    if ((mode & 0o077) === 0) return;
    chmodSync(path, wanted);
    fixed.push({ path: name, from: mode.toString(8), to: wanted.toString(8) });
  };
  for (const name of PRIVATE) {
    const path = join(dataDir, name);
    look(path);
    if (name === '.' || !lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) continue;
    for (const inside of readdirSync(path)) look(join(path, inside));
  }
  return [
    ...(fixed.length > 0 ? [{ check: 'modes', detail: { fixed } } as const] : []),
    ...(strangers.length > 0 ? [{ check: 'owner', detail: { paths: strangers } } as const] : []),
  ];
}

function spaceOf(dataDir: string): Finding[] {
  const { bavail, blocks, bsize } = statfsSync(dataDir);
  if (bavail >= LOW_SHARE * blocks) return [];
  return [{ check: 'space', detail: { freeBytes: bavail * bsize, totalBytes: blocks * bsize } }];
}

function certificateOf(dataDir: string, now: number): Finding[] {
  const file = join(dataDir, 'tls', 'cert.pem');
  if (!existsSync(file)) return [];
  try {
    const { validToDate } = new X509Certificate(readFileSync(file));
    const days = Math.floor((validToDate.getTime() - now) / DAY_MS);
    return days < CERTIFICATE_DAYS ? [{ check: 'certificate', detail: { days, validTo: validToDate.getTime() } }] : [];
  } catch {
    return [{ check: 'certificate', detail: { unreadable: true } }];
  }
}

/** An audit record of the gateway about itself. */
export const ownAudit = (name: string, data: object, actor: string): Draft => ({
  lane: 'L0',
  kind: 'audit',
  scenario: 'gateway',
  device: '',
  name,
  data,
  actor,
});
