/** What goes wrong in a chaos trial, and what happens in its compound, and when: drawn from the seed before it begins. */
import type { Behaviour } from '../../drivers/modbus/simulator.ts';
import type { Layout, Wire } from './chaos-log.ts';
import { pick, type Size } from './trial.ts';

export const badFlows = ['loop', 'exit', 'throw', 'memory', 'flood'] as const;

export type Happening =
  | { readonly kind: 'core killed'; readonly downMs: number }
  | { readonly kind: 'core stopped'; readonly ms: number }
  | { readonly kind: 'disk slow'; readonly ms: number; readonly flushMs: number }
  | { readonly kind: 'disk full'; readonly ms: number }
  | { readonly kind: 'flows killed' }
  | { readonly kind: 'bad flow'; readonly what: (typeof badFlows)[number]; readonly ms: number }
  | { readonly kind: 'broker killed'; readonly ms: number }
  | { readonly kind: 'broker stopped'; readonly ms: number }
  | { readonly kind: 'uplink cut' }
  | { readonly kind: 'uplink frozen'; readonly ms: number }
  | { readonly kind: 'clock set'; readonly offsetMs: number; readonly ms: number }
  | { readonly kind: 'booth cut'; readonly booth: number }
  | { readonly kind: 'device wrong'; readonly device: string; readonly behaviour: Behaviour; readonly ms: number }
  | { readonly kind: 'line wrong'; readonly device: string; readonly wire: Wire; readonly ms: number }
  | { readonly kind: 'smoke'; readonly device: string; readonly ms: number }
  | { readonly kind: 'intrusion'; readonly device: string; readonly ms: number }
  | { readonly kind: 'trouble'; readonly device: string; readonly what: string; readonly ms: number }
  | { readonly kind: 'fire'; readonly device: string; readonly ms: number };

export type Step = Happening & { readonly at: number };
type Kind = Happening['kind'];

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const OFFSETS = [5 * MINUTE, -5 * MINUTE, 60 * MINUTE, DAY, -DAY] as const;
const WRONG: readonly Behaviour[] = [
  { silent: true },
  { silent: true },
  { lateMs: 300 },
  { lateMs: 900 },
  { junk: new Uint8Array([0, 255, 17]) },
  { answersAs: 9 },
  { cutAt: 5 },
  { wrongEcho: true },
  { exception: 4 },
  { exception: 6 },
  { exception: 11 },
];

const PANEL = 'generic/di-fire-panel';
/** What happens at which kind of board, besides a fire. */
const TROUBLES: Readonly<Record<string, readonly string[]>> = {
  'generic/io-elevator': ['trapped'],
  'generic/relay-ebike-guard': ['ebike'],
  'generic/io-ebike-zone': ['hot', 'hot, welded'],
  'generic/io-gas-alarm': ['leak', 'leak, valve stuck'],
};

/** How often each comes, compared with the others; once at least, each. */
const WEIGHTS: Readonly<Record<Kind, number>> = {
  'core killed': 3,
  'core stopped': 3,
  'disk slow': 4,
  'disk full': 2,
  'flows killed': 3,
  'bad flow': 2,
  'broker killed': 2,
  'broker stopped': 2,
  'uplink cut': 3,
  'uplink frozen': 3,
  'clock set': 3,
  'booth cut': 4,
  'device wrong': 12,
  'line wrong': 8,
  smoke: 12,
  intrusion: 16,
  trouble: 10,
  fire: 2,
};
/** Takes longer to come and go than a slice lasts. */
const NOT_IN_SLICE: readonly Kind[] = ['bad flow', 'disk full'];
/** Mean time between two of a trial of minutes. */
const EVERY_MS = 2500;
/** Nothing begins at the very beginning, nor so late that it could not end. */
const FIRST_MS = 500;
const LAST = 0.85;
/** In a slice nothing lasts longer. */
const SLICE_MS = 2500;

function draw(kind: Kind, random: () => number, { gates, zones, smokes, boards, lines }: Layout): Happening {
  const between = (least: number, most: number) => least + pick(random, most - least);
  const one = <T>(of: readonly T[]): T => of[pick(random, of.length)] as T;
  const outputs = [...gates.map(({ id }) => id), ...zones, ...boards.map(({ id }) => id)];
  const device = () => one(random() < 0.9 ? outputs : lines.flat());
  switch (kind) {
    case 'core killed':
      return { kind, downMs: pick(random, 1000) };
    case 'disk slow':
      return { kind, ms: between(2000, 5000), flushMs: between(100, 1000) };
    case 'flows killed':
    case 'uplink cut':
      return { kind };
    case 'bad flow':
      return { kind, what: one(badFlows), ms: between(15_000, 25_000) };
    case 'clock set':
      return { kind, offsetMs: one(OFFSETS), ms: between(1000, 10_000) };
    case 'booth cut':
      return { kind, booth: pick(random, 3) };
    case 'device wrong':
      return { kind, device: device(), behaviour: one(WRONG), ms: between(1000, 4000) };
    case 'line wrong':
      return { kind, device: device(), wire: one(['cut', 'deaf'] as const), ms: between(1000, 5000) };
    case 'smoke':
      return { kind, device: one(smokes), ms: between(500, 8000) };
    case 'intrusion':
      return { kind, device: one(zones), ms: between(500, 12_000) };
    case 'trouble': {
      const of = boards.filter(({ profile }) => TROUBLES[profile] !== undefined);
      const { id, profile } = one(of);
      return { kind, device: id, what: one(TROUBLES[profile] ?? []), ms: between(1000, 15_000) };
    }
    case 'fire':
      return { kind, device: boards.find(({ profile }) => profile === PANEL)?.id ?? '', ms: between(1000, 5000) };
    default:
      return { kind, ms: between(500, 4000) };
  }
}

/** @returns in order of time */
export function planFor(random: () => number, size: Size, seconds: number, layout: Layout): Step[] {
  const kinds = (Object.keys(WEIGHTS) as Kind[]).filter((kind) => size !== 'slice' || !NOT_IN_SLICE.includes(kind));
  const total = kinds.reduce((sum, kind) => sum + WEIGHTS[kind], 0);
  const any = (): Kind => {
    let left = random() * total;
    for (const kind of kinds) {
      left -= WEIGHTS[kind];
      if (left < 0) return kind;
    }
    return 'intrusion';
  };
  const rest = Math.max(0, Math.round((seconds * 1000) / EVERY_MS) - kinds.length);
  const chosen = [...kinds, 'smoke', 'smoke', 'intrusion', 'intrusion', ...Array.from({ length: rest }, any)] as Kind[];
  const place = () => FIRST_MS + random() * (seconds * 1000 * LAST - FIRST_MS);
  const short = (step: Happening): Happening =>
    size === 'slice' && 'ms' in step ? { ...step, ms: Math.min(step.ms, SLICE_MS) } : step;
  return chosen.map((kind) => ({ at: place(), ...short(draw(kind, random, layout)) })).sort((a, b) => a.at - b.at);
}
