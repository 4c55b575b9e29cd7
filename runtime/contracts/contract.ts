import type { TObject, TSchema } from 'typebox';
import type { JournalRecord, Lane } from './record.ts';
import type { Words } from './words.ts';

/** Roles of people and machines (reliability.md section 8); `flow` and `linkage` are actors, not log-ins. */
export const roles = ['guard', 'shift-leader', 'installer', 'platform', 'auditor', 'admin'] as const;
export type Role = (typeof roles)[number];
/**
 * Who a command comes from. `system` is the gateway itself when it lets go what somebody held, `booth` the emergency
 * opening without log-in; no contract lists either.
 */
export type Sender = Role | 'flow' | 'linkage' | 'system' | 'booth';

export type Category =
  | 'gh-core'
  | 'gh-access'
  | 'gh-elevator'
  | 'gh-video'
  | 'gh-safety'
  | 'gh-energy'
  | 'gh-env'
  | 'gh-notice'
  | 'gh-link';

/** Critical: danger to life. Major: security or an important service. Minor: repair, value out of range. */
export type Severity = 'critical' | 'major' | 'minor';
/** The booth's priority, 1 紧急 to 4 提示 (ux.md 5). */
export type Priority = 1 | 2 | 3 | 4;
export type Scalar = string | number | boolean;

/**
 * When the core raises an alarm by itself, and clears it again: as long as the condition holds.
 * A numeric limit can be moved per device by the setting named `<alarm>` in the device's settings.
 */
export type Condition = { readonly point: string; readonly forMs?: number } & (
  | { readonly equals: Scalar }
  | { readonly above: number; readonly clearAt: number }
  | { readonly below: number; readonly clearAt: number }
);

/** What to do 预案: one to four lines, in the order they are done. */
export type Steps =
  | readonly [Words]
  | readonly [Words, Words]
  | readonly [Words, Words, Words]
  | readonly [Words, Words, Words, Words];

/**
 * One kind of alarm in the catalogue (ux.md 5). Everything a guard needs at 3 a.m. is mandatory: a kind without it cannot
 * be written down. Its cameras and its place on the plan are those of its device, which has a zone by definition.
 */
export interface AlarmKind {
  readonly words: Words;
  readonly severity: Severity;
  readonly priority: Priority;
  /** Why this priority: what a late answer costs. Whoever wants another priority has to argue with this sentence. */
  readonly why: Words;
  /** Fire, SOS, duress: also needs a reset by a named person after it has gone. */
  readonly latching?: boolean;
  /** A fire alarm that proved false may be cleared as such 误报消除 by a shift leader (SX 7.2.7.3). */
  readonly clearsFalse?: boolean;
  /** It also comes when the line, bus or switch in front of the device dies; then only that is told, and this is suppressed. */
  readonly behindParent?: boolean;
  /** Says that everything behind its device is cut off: while it holds, the alarms of {@link behindParent} there are suppressed. */
  readonly cutsOff?: boolean;
  /** Likely cause, one sentence. */
  readonly hint: Words;
  readonly steps: Steps;
  /** Absent: raised by the scenario's `watch`, by a driver event or by a flow. */
  readonly when?: Condition;
}

/** What must be so before a command may start, and what the guard is told when it is not. */
export interface Interlock {
  readonly point: string;
  readonly mustBe: Scalar;
  readonly words: Words;
}

/**
 * What the command holds is let go by itself (reliability.md F1-F3): when nobody renews it in time, when the gateway stops
 * or restarts, when the link to the device is lost.
 */
export interface LeaseTerms {
  readonly longestMs: number;
  /** The command that lets go. It may always be sent, and leads to the device's own automatic. */
  readonly release: string;
}

/** An alarm that forbids the command as long as it stands in the zone of the device. */
export interface Forbidding {
  readonly alarm: string;
  /** Default: the scenario of the command. */
  readonly scenario?: string;
  readonly words: Words;
}

export interface CommandKind {
  readonly words: Words;
  readonly input: TObject;
  /** Longest time from intent to start, ms (reliability.md C2). */
  readonly deadlineMs: number;
  readonly allow: readonly Sender[];
  /** `device`: a driver moves something. `setting`: the gateway changes the device's settings. */
  readonly acts: 'device' | 'setting';
  /** Commands of one output exclude each other; default: the device has one output. */
  readonly output?: string;
  /** At most so many accepted per minute and output; absent for what only makes safe (C9). */
  readonly perMinute?: number;
  /** An event that gives one back: an opening that a vehicle used is not counted, so a rush hour is never refused. */
  readonly usedBy?: string;
  readonly interlocks?: readonly Interlock[];
  /**
   * A siren or loudspeaker that is sounded with this input when nobody answers an alarm of its zone (ux.md 5); `stop` is
   * the command that ends it once somebody does. `linkage` must be allowed to send both.
   */
  readonly escalates?: { readonly input: Readonly<Record<string, Scalar>>; readonly stop?: string };
  /** The emergency opening 紧急开启 of the device, to the safe side only: without log-in, never locked (F8). */
  readonly emergency?: boolean;
  /** Also lets go at once what is held when such an alarm is raised. */
  readonly forbiddenWhile?: readonly Forbidding[];
  readonly lease?: LeaseTerms;
  /** The state that proves it, read back from the device (C6). Absent: the driver's confirmation is all there is. */
  readonly proof?: Proof;
  /**
   * Only ever makes safe: opens, lets go, cuts off, warns (F1, F2, F4, F5). A safety linkage may send it at any rate, and
   * even while the disk takes no record of it (AU5).
   */
  readonly failSafe?: true;
}

export type Proof = { readonly point: string; readonly withinMs: number } & (
  | { readonly equals: Scalar }
  | { readonly below: number }
);

export interface EventKind {
  readonly words: Words;
  readonly data: TObject;
  /** Default L1. */
  readonly lane?: Lane;
}

/** What a watch may see of the site: pure look-ups, no I/O. */
export interface SiteView {
  /** Undefined for a device that is gone from the inventory. */
  device(
    id: string,
  ):
    | { id: string; scenario: string; role: string; zone: string; settings: Readonly<Record<string, Scalar>> }
    | undefined;
  /** Devices of one scenario in one zone, e.g. the barrier of a lane. */
  inZone(zone: string, scenario: string): readonly { id: string; role: string }[];
}

export type Reaction =
  | {
      readonly event: string;
      readonly device: string;
      readonly data: object;
      readonly cause: string;
      readonly actor?: string;
    }
  | { readonly raise: string; readonly device: string; readonly data?: object; readonly cause: string }
  | { readonly clear: string; readonly device: string; readonly cause: string };

/**
 * A pure reducer over the journal: sees every record of its scenario in order, keeps what it needs in `memory` (plain
 * JSON, restored after a restart) and answers with what follows. Never looks at a clock: time is in the records.
 */
export type Watch<Memory> = (memory: Memory, record: JournalRecord, site: SiteView) => Reaction[];

export interface Scenario {
  readonly id: string;
  readonly version: number;
  readonly title: Words;
  readonly category: Category;
  /** Font Awesome 4.7 name without `fa-`. */
  readonly icon: string;
  /** Parts a device can play, e.g. barrier and camera of one lane. */
  readonly roles: Readonly<Record<string, Words>>;
  readonly telemetry: Readonly<Record<string, TSchema>>;
  readonly events: Readonly<Record<string, EventKind>>;
  readonly alarms: Readonly<Record<string, AlarmKind>>;
  readonly commands: Readonly<Record<string, CommandKind>>;
  readonly watch?: { readonly start: object; readonly step: Watch<never> };
}

/** Checks nothing at run time; keeps literal types, so that a flow or test can name points and commands by type. */
export const defineScenario = <const S extends Scenario>(scenario: S): S => scenario;
