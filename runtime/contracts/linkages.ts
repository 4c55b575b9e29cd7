/**
 * Safety linkages 安全联动 of the core (requirements 6): what life depends on, as data. They cannot be wired away: no flow,
 * no configuration switches one off. Everything else that belongs together is a flow under flows/.
 */
import { type Static, Type } from 'typebox';
import { deviceId } from './api.ts';
import type { Words } from './words.ts';

/** A device of the scenario is in this alarm, by the condition its contract states. */
export interface LinkageTrigger {
  readonly scenario: string;
  readonly alarm: string;
  /** So many devices of one zone; default 1. */
  readonly devices?: number;
}

/** What is sent to every device of this scenario and role within reach. */
export interface LinkageOutput {
  readonly scenario: string;
  readonly role: string;
  readonly command: string;
  readonly input?: Readonly<Record<string, number>>;
  /** Sent when the linkage ends; absent: it stays, for a person on site. */
  readonly end?: string;
  /** Sent again when it is read back that it does not hold any more, and in any case after so long. */
  readonly holdsMs?: number;
  /** Sent again after so long, whatever is read back: a voice. */
  readonly everyMs?: number;
  /** Alarm of the device when it cannot be done; default: that of the gateway. */
  readonly failure?: string;
  /** Only where the device offers it. */
  readonly optional?: true;
  /** Outputs with the same need: without any of them the linkage is incomplete, and says so. */
  readonly need?: 'barrier' | 'door' | 'warning';
}

/** What devices do by themselves, and somebody has to see to it that they did. */
export interface LinkageWatch {
  readonly scenario: string;
  readonly role: string;
  readonly point: string;
  readonly equals: boolean;
  readonly withinMs: number;
  readonly failure: string;
}

export interface Linkage {
  readonly id: string;
  readonly words: Words;
  /** One sentence: when this, then that. */
  readonly about: Words;
  /** Any of them. */
  readonly triggers: readonly LinkageTrigger[];
  /** Where outputs are looked for: everywhere (or as the site says), in the zone of the trigger, at its device. */
  readonly reach: 'compound' | 'zone' | 'device';
  readonly outputs: readonly LinkageOutput[];
  readonly watches?: readonly LinkageWatch[];
  /** `signal`: with its trigger. `reset`: when the trigger has gone and a named person has reset its alarm. */
  readonly ends: 'signal' | 'reset';
  /** Ends after so long in any case, with this alarm; begins anew only after the trigger was gone. */
  readonly longest?: { readonly ms: number; readonly alarm: string };
  /** Linkages that beat it wherever they reach. */
  readonly yieldsTo?: readonly string[];
  /** What nobody may send to the devices it reaches, by scenario, as long as it lasts. */
  readonly forbids?: Readonly<Record<string, readonly string[]>>;
}

const MINUTE = 60_000;

const cutOff = (scenario: string) =>
  ({ scenario, role: 'zone', command: 'cutZone', failure: 'cutoffFailed' }) as const satisfies LinkageOutput;

export const linkages: readonly Linkage[] = [
  {
    id: 'L02',
    words: { zh: '火警疏散', en: 'Fire' },
    about: {
      zh: '火警时开闸、开门并保持，迫降电梯，切断充电，启动广播和警报，直到现场复位',
      en: 'Fire opens and holds barriers and doors, recalls elevators, cuts off charging, sounds the alarm, until it is reset on site',
    },
    triggers: [
      { scenario: 'fire-alarm', alarm: 'fire' },
      { scenario: 'fire-alarm', alarm: 'twoDetectors' },
      { scenario: 'smoke-alarm', alarm: 'smoke', devices: 2 },
    ],
    reach: 'compound',
    outputs: [
      {
        ...{ scenario: 'vehicle-gate', role: 'barrier', command: 'lockOpen', need: 'barrier' },
        ...{ input: { holdSeconds: 1800 }, end: 'endHold', holdsMs: 25 * MINUTE },
      },
      {
        ...{ scenario: 'pedestrian-gate', role: 'door', command: 'release', need: 'door' },
        ...{ end: 'endRelease', holdsMs: 25 * MINUTE },
      },
      { scenario: 'ebike-elevator-alarm', role: 'guard', command: 'release' },
      { scenario: 'elevator-monitoring', role: 'car', command: 'recall', end: 'endRecall', optional: true },
      cutOff('ebike-charging'),
      cutOff('ev-charging'),
      { scenario: 'public-broadcast', role: 'amplifier', command: 'evacuate', end: 'stop', need: 'warning' },
      { scenario: 'public-broadcast', role: 'siren', command: 'sirenOn', end: 'sirenOff', need: 'warning' },
    ],
    ends: 'reset',
    forbids: {
      'vehicle-gate': ['close', 'lockClosed', 'endHold'],
      'pedestrian-gate': ['lock', 'endRelease'],
      'ebike-elevator-alarm': ['hold'],
      'elevator-monitoring': ['endRecall'],
      'ebike-charging': ['restore'],
      'ev-charging': ['restore'],
    },
  },
  {
    id: 'L34',
    words: { zh: '电梯困人', en: 'People trapped' },
    about: {
      zh: '电梯困人时立即解除电梯停用，并禁止再停用',
      en: 'While people are trapped in an elevator every hold of it ends, and none begins',
    },
    triggers: [{ scenario: 'elevator-monitoring', alarm: 'trapped' }],
    reach: 'zone',
    outputs: [{ scenario: 'ebike-elevator-alarm', role: 'guard', command: 'release' }],
    ends: 'signal',
    forbids: { 'ebike-elevator-alarm': ['hold'] },
  },
  {
    id: 'L15',
    words: { zh: '充电过热断电', en: 'Charging cut-off' },
    about: {
      zh: '充电过热或冒烟时切断该区充电，以电流验证；只能在现场恢复',
      en: 'Overheating or smoke cuts off the charging of its zone, proved by current; made live again on site only',
    },
    triggers: [
      { scenario: 'ebike-charging', alarm: 'overTemperature' },
      { scenario: 'ebike-charging', alarm: 'shedSmoke' },
      { scenario: 'ev-charging', alarm: 'overTemperature' },
      { scenario: 'smoke-alarm', alarm: 'smoke' },
    ],
    reach: 'zone',
    outputs: [cutOff('ebike-charging'), cutOff('ev-charging')],
    ends: 'signal',
    forbids: { 'ebike-charging': ['restore'], 'ev-charging': ['restore'] },
  },
  {
    id: 'L39',
    words: { zh: '燃气切断监视', en: 'Gas shut-off watch' },
    about: {
      zh: '燃气泄漏后监视切断阀是否自动关断；阀门只能现场手动打开',
      en: 'After a gas leak it is watched that the valve closes by itself; it is opened by hand, on site',
    },
    triggers: [{ scenario: 'household-gas-alarm', alarm: 'gasLeak' }],
    reach: 'device',
    outputs: [],
    watches: [
      {
        ...{ scenario: 'household-gas-alarm', role: 'detector', point: 'valveClosed', equals: true },
        ...{ withinMs: 10_000, failure: 'valveNotClosed' },
      },
    ],
    ends: 'signal',
  },
  {
    id: 'L18',
    words: { zh: '电动车进电梯', en: 'E-bike in the elevator' },
    about: {
      zh: '电动车进电梯时在平层开门停用并语音劝离，离开后自动恢复',
      en: 'An e-bike in the elevator holds it at a floor with its door open and a voice; it resumes when the e-bike has left',
    },
    triggers: [{ scenario: 'ebike-elevator-alarm', alarm: 'ebikeInCar' }],
    reach: 'device',
    outputs: [
      { scenario: 'ebike-elevator-alarm', role: 'guard', command: 'hold', end: 'release', everyMs: 10_000 },
      { scenario: 'ebike-elevator-alarm', role: 'guard', command: 'speak', everyMs: 15_000, optional: true },
    ],
    ends: 'signal',
    longest: { ms: 10 * MINUTE, alarm: 'holdTooLong' },
    yieldsTo: ['L02', 'L34'],
  },
];

const zones = (description: string) => Type.Array(deviceId, { minItems: 1, maxItems: 200, description });
/**
 * What a site may say of the reach of a linkage. Without it a fire anywhere acts everywhere; a part of the compound that is
 * named here acts by itself, and what no entry names still acts everywhere.
 */
export const linkageReach = Type.Object(
  {
    id: Type.Enum(
      linkages.filter(({ reach }) => reach === 'compound').map(({ id }) => id),
      { description: 'a linkage of the whole compound' },
    ),
    from: zones('a signal of these zones, with all below'),
    to: zones('acts in these, with all below'),
  },
  { additionalProperties: false, title: 'LinkageReach' },
);
export type LinkageReach = Static<typeof linkageReach>;
