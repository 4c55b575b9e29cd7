/** The incident area as a signal: which alarms have it, and what keeps it from coming up. */
import { signal } from '@preact/signals';
import type { AlarmView } from '../contracts/api.ts';
import { wide } from './layout.ts';
import { route } from './route.ts';
import { isUnacked } from './state/alarms.ts';
import {
  arrived,
  closed,
  dismissed,
  type Incidents,
  noIncidents,
  opened,
  released,
  settled,
} from './state/incidents.ts';
import { alarms } from './store.ts';

export const incidents = signal<Incidents>(noIncidents);

/** Beside the list of Live at full width the area has a place of its own. */
const isPermanent = (): boolean => wide.peek() && route.peek() === 'live';

/** Inputs, confirm boxes and PIN pads that are open now: nothing may cover them. */
let inputs = 0;

/** Tells that an input is open; the returned function tells that it is closed. */
export function holdIncidents(): () => void {
  inputs += 1;
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    inputs -= 1;
    if (inputs === 0) incidents.value = released(incidents.peek(), alarms.peek());
  };
}

/** The P1 that came last, for those who hear the screen: each is announced by itself. */
export const announced = signal<AlarmView | undefined>(undefined);

export function announce(fresh: readonly AlarmView[]): void {
  announced.value = fresh.findLast((alarm) => alarm.priority === 1) ?? announced.peek();
  incidents.value = arrived(incidents.peek(), fresh, { wide: wide.peek(), busy: inputs > 0 });
}

/** After log-in: unanswered alarms are as new as if they came now. */
export function announceOpen(): void {
  announce([...alarms.peek().open.values()].filter(isUnacked).sort((a, b) => a.priority - b.priority));
}

export function openIncident(id: string): void {
  incidents.value = opened(incidents.peek(), id);
}

export function closeIncident(id: string): void {
  incidents.value = closed(incidents.peek(), id, alarms.peek());
}

export function dismissCard(id: string): void {
  incidents.value = dismissed(incidents.peek(), id, alarms.peek());
}

export function settleIncidents(): void {
  const next = settled(incidents.peek(), alarms.peek(), isPermanent());
  if (next !== incidents.peek()) incidents.value = next;
}

export function clearIncidents(): void {
  incidents.value = noIncidents;
}
