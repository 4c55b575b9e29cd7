/** What a tap on a command asks before it is sent (ux.md 7, the columns of its table). */
import type { CommandKind, Role } from '../../contracts/contract.ts';
import { scenarioOf } from '../../contracts/index.ts';
import type { AlarmBook } from './alarms.ts';
import type { DeviceBook } from './devices.ts';

/**
 * `now`: one tap. `reason`: it acts at once and the reason is asked for afterwards. `hold`: reason and time first.
 * `confirm`: a second tap on a box away from the first. `captain`: that, and the captain's PIN.
 */
export type Ask = 'now' | 'reason' | 'hold' | 'confirm' | 'captain';

/** What is not here is one tap: it makes safe, tells something, or ends what another command began. */
const asks: Readonly<Record<string, Readonly<Record<string, Ask>>>> = {
  'vehicle-gate': { open: 'reason', lockOpen: 'hold', lockClosed: 'captain' },
  'pedestrian-gate': { open: 'reason', release: 'confirm', endRelease: 'captain', lock: 'captain' },
  'elevator-monitoring': { recall: 'captain', endRecall: 'captain' },
  'ebike-elevator-alarm': { hold: 'captain', release: 'confirm' },
  'ebike-charging': { cutZone: 'confirm', restore: 'captain' },
  'ev-charging': { cutZone: 'confirm', restore: 'captain' },
  'public-broadcast': { evacuate: 'confirm', play: 'confirm', sirenOn: 'confirm' },
  'perimeter-guard': { disarm: 'captain' },
};

export const askOf = (scenario: string, command: string): Ask => asks[scenario]?.[command] ?? 'now';

/**
 * Commands to offer for a device: those this role may send, and those it may with the captain's PIN. What needs a value
 * to be typed is set up by an installer, not ordered in a booth.
 */
export function commandsFor(scenario: string, own: readonly string[], role: Role | undefined): string[] {
  return Object.entries(scenarioOf(scenario)?.commands ?? {})
    .filter(([name, kind]) => askOf(scenario, name) === 'hold' || !needsValues(kind))
    .filter(([name, kind]) => own.includes(name) || (role === 'guard' && captainOnly(scenario, name, kind)))
    .map(([name]) => name);
}

export const needsValues = ({ input }: CommandKind): boolean =>
  ((input as { required?: readonly string[] }).required ?? []).length > 0;

const captainOnly = (scenario: string, name: string, kind: CommandKind): boolean =>
  askOf(scenario, name) === 'captain' && !kind.allow.includes('guard') && kind.allow.includes('shift-leader');

/** Why the contract forbids it right now, by what the gateway last said; undefined: nothing known against it. */
export function forbiddenBy(devices: DeviceBook, alarms: AlarmBook, device: string, name: string) {
  const view = devices.get(device);
  const kind = view && scenarioOf(view.scenario)?.commands[name];
  // Who is in danger comes before what is in the way.
  const danger = kind?.forbiddenWhile?.find(({ alarm, scenario }) =>
    [...alarms.open.values()].some(
      (open) =>
        open.kind === alarm &&
        open.scenario === (scenario ?? view?.scenario) &&
        open.zone === view?.zone &&
        open.process !== 'NORMAL' &&
        (open.returnedAt === undefined || open.latching),
    ),
  );
  if (danger) return danger.words;
  return kind?.interlocks?.find(({ point, mustBe }) => {
    const now = view?.points[point];
    return now?.quality === 'good' && now.value !== mustBe;
  })?.words;
}
