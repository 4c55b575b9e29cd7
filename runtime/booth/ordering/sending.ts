/** From a tap on a command button to the call: whether it may be sent now, and what it asks first. */
import { signal } from '@preact/signals';
import type { DeviceView } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';
import { guarded } from '../access.ts';
import { sendCommand } from '../commands.ts';
import { type Ask, askOf, commandsFor, forbiddenBy } from '../state/asks.ts';
import { linkageForbids } from '../state/linkages.ts';
import { alarms, canAct, devices, linkages, lost, readOnly, session } from '../store.ts';
import { say, t } from '../words/words.ts';

export type Input = Readonly<Record<string, unknown>>;

export interface Tapped {
  readonly device: DeviceView;
  readonly name: string;
  readonly input?: Input;
  /** Record that made the guard do it. */
  readonly cause?: string | undefined;
}

export interface Question extends Tapped {
  readonly ask: Exclude<Ask, 'now' | 'reason'> | 'reason-first' | 'look-first';
}

/** What has been tapped and waits for a reason, a second tap or a PIN. */
export const question = signal<Question | undefined>(undefined);

/** What a command is called, by the contract. */
export function commandWords(scenario: string, name: string): string {
  const words = scenarioOf(scenario)?.commands[name]?.words;
  return words ? say(words) : name;
}

/** Why a command cannot be sent now; undefined: it can. */
export function whyNot(device: DeviceView, name: string): string | undefined {
  if (lost.value) return t('gates.why.lost');
  if (readOnly.value) return t('gates.why.read_only');
  if (!canAct.value) return t('gates.why.starting');
  if (device.link.state !== 'online') return t('gates.why.offline');
  if (!commandsFor(device.scenario, device.commands, session.value?.role).includes(name)) return t('gates.why.rights');
  const linkage = linkageForbids(linkages.value, device, name);
  if (linkage) return t('linkage.forbids', { linkage: say(linkage.words) });
  const words = forbiddenBy(devices.value, alarms.value, device.id, name);
  return words && say(words);
}

/** The tap itself: sends at once, or asks what the table of commands asks (ux.md 7). */
export function tapCommand(tapped: Tapped): void {
  const ask = asked(tapped);
  if (ask === undefined) send(tapped);
  else guarded(() => (question.value = { ...tapped, ask }));
}

function asked({ device, name }: Tapped): Question['ask'] | undefined {
  const ask = askOf(device.scenario, name);
  // Without a sensor under the arm a person has to look first.
  if (device.scenario === 'vehicle-gate' && name === 'close' && device.points.loopOccupied === undefined)
    return 'look-first';
  if (ask === 'reason') return device.settings.reason === 'before' ? 'reason-first' : undefined;
  return ask === 'now' ? undefined : ask;
}

export function send({ device, name, input, cause }: Tapped, more: { reason?: string; approval?: string } = {}): void {
  guarded(() => void sendCommand(device.id, name, { input: input ?? {}, cause, ...more }));
}
