/**
 * Who may do what over HTTP (reliability.md section 8), as data. Every route names one right; a route without one does
 * not start, and a caller who is not listed is refused.
 */
import type { Role } from '../contracts/contract.ts';
import { wallTime } from '../devices/site-time.ts';

/** A logged-in role, or the flow process with its own token. */
export type CallerRole = Role | 'flow';

const people = ['guard', 'shift-leader', 'installer', 'auditor', 'admin'] as const;
const readers = [...people, 'platform', 'flow'] as const;

export const rights = {
  /** No login at all. */
  open: 'anyone',
  /** Health and metrics: no login on loopback and the unix socket, any login from elsewhere. */
  health: 'nearby',
  /** Names on the booth's log-in tiles: no login on the site's own networks. */
  tiles: 'nearby',
  /** F8: no login on the booth's own networks; elsewhere, and for flows, not at all. */
  'emergency.open': 'nearby',
  self: [...people, 'platform'],
  /** At a panel somebody else may lend the rights of a leader. */
  'approval.ask': ['guard', 'shift-leader', 'admin'],
  'live.read': readers,
  'docs.read': 'anyone',
  'records.read': readers,
  'records.export': ['guard', 'shift-leader', 'platform', 'auditor', 'admin'],
  /** Pictures show plates and faces: for roles that see those in records too. */
  'evidence.read': ['guard', 'shift-leader', 'platform', 'admin', 'flow'],
  'people.read': ['guard', 'shift-leader', 'installer', 'auditor', 'admin', 'flow'],
  'people.write': ['shift-leader', 'installer', 'admin'],
  'access.ask': ['guard', 'shift-leader', 'installer', 'admin', 'flow'],
  /** A platform's command is also signed (C8): a bearer token alone moves nothing. */
  'command.send': ['guard', 'shift-leader', 'installer', 'admin', 'flow', 'platform'],
  'command.renew': ['guard', 'shift-leader', 'installer', 'admin', 'flow'],
  'command.challenge': ['platform'],
  'command.annotate': ['guard', 'shift-leader', 'admin'],
  'alarm.handle': ['guard', 'shift-leader', 'admin'],
  'alarm.reset': ['shift-leader', 'admin'],
  /** Out of service for a repair, and back. */
  'alarm.service': ['installer', 'admin'],
  'alarm.raise': ['flow'],
  /** Touches no output; its record is signed. */
  'linkage.test': ['shift-leader', 'installer', 'admin'],
  'event.write': ['flow'],
  'notice.read': [...people, 'flow'],
  'notice.write': ['shift-leader', 'installer', 'admin', 'flow'],
  /** A receipt is a person's. */
  'notice.confirm': ['guard', 'shift-leader', 'installer', 'admin'],
  'workorder.read': [...people, 'flow'],
  'workorder.create': ['guard', 'shift-leader', 'installer', 'admin', 'flow'],
  'workorder.handle': ['guard', 'shift-leader', 'installer', 'admin'],
  'calendar.write': ['shift-leader', 'installer', 'admin'],
  'device.write': ['installer', 'admin'],
  'zone.write': ['installer', 'admin'],
  'maintenance.read': readers,
  'maintenance.write': ['installer', 'admin'],
  /** Dry by construction; who may deploy a flow may see what it would do. */
  'flows.replay': ['installer', 'admin'],
  /** Which flows run, by their hash; what is in them is for those who build them. */
  'flow.list': ['installer', 'auditor', 'admin'],
  'flow.read': ['installer', 'admin'],
  'flow.write': ['installer', 'admin'],
  'user.read': ['shift-leader', 'auditor', 'admin'],
  'user.write': ['shift-leader', 'admin'],
  'token.write': ['admin'],
  /** A platform sees the uplink that bears its name, and may ask for a stretch again there. */
  'uplink.read': ['installer', 'auditor', 'admin', 'platform'],
  'uplink.write': ['admin'],
  'platform-key.read': ['installer', 'auditor', 'admin'],
  'platform-key.write': ['admin'],
  'uplink.replay': ['installer', 'admin', 'platform'],
  /** Also the file itself, which only the box's key or a passphrase opens. */
  'backup.make': ['installer', 'admin'],
  'backup.read': ['installer', 'auditor', 'admin'],
  'demo.play': ['guard', 'shift-leader', 'installer', 'admin'],
} as const satisfies Record<string, readonly CallerRole[] | 'anyone' | 'nearby'>;

export type Right = keyof typeof rights;

export function mayDo(role: CallerRole, right: Right): boolean {
  const allowed: readonly CallerRole[] | 'anyone' | 'nearby' = rights[right];
  return typeof allowed === 'string' || allowed.includes(role);
}

/** How much of other people's data a role sees (section 8, K4): `live` keeps plates, which a guard must compare. */
export type Mask = 'none' | 'live' | 'all';

interface Sight {
  readonly mask: Mask;
  /** Audit records are for auditors, who verify them, and administrators. */
  readonly audit: boolean;
  /** How far back records may be searched; absent: as far as they are kept. */
  readonly past?: 'today' | '30-days';
}

export const sights: Readonly<Record<CallerRole, Sight>> = {
  guard: { mask: 'live', audit: false, past: 'today' },
  'shift-leader': { mask: 'none', audit: false, past: '30-days' },
  installer: { mask: 'all', audit: false },
  /** Sees every record, as its uplink does: a hole in the sequence would look like a loss. */
  platform: { mask: 'none', audit: true },
  auditor: { mask: 'all', audit: true },
  admin: { mask: 'none', audit: true },
  flow: { mask: 'none', audit: false },
};

const DAY_MS = 86_400_000;
const NIGHT_SHIFT_MS = 12 * 3_600_000;

/**
 * The oldest moment a role may search.
 * @param now ms UTC
 * @param timeZone IANA name of the site's time zone; "today" is the site's day.
 * @returns ms UTC, or undefined for no bound. A shift that began before midnight keeps its own twelve hours.
 */
export function searchFrom(role: CallerRole, now: number, timeZone: string): number | undefined {
  switch (sights[role].past) {
    case 'today':
      return Math.min(startOfDay(now, timeZone), now - NIGHT_SHIFT_MS);
    case '30-days':
      return now - 30 * DAY_MS;
    default:
      return undefined;
  }
}

/** Zones keep whole minutes apart from UTC, so the wall's minute tells how long ago midnight was. */
const startOfDay = (now: number, timeZone: string): number =>
  now - wallTime(now, timeZone).minute * 60_000 - (now % 60_000);
