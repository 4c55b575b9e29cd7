import type { AlarmView } from '../../contracts/api.ts';
import { processOf } from '../state/alarms.ts';
import { Icon, type IconName } from './icons.tsx';

const icons: Readonly<Record<ReturnType<typeof processOf>, IconName>> = {
  active: 'active',
  returned: 'check',
  latched: 'latched',
  shelved: 'shelved',
  suppressed: 'suppressed',
  'out-of-service': 'service',
};

/** The shape of the condition's state; the word stands beside it. */
export const ProcessIcon = ({ alarm }: { alarm: AlarmView }) => <Icon name={icons[processOf(alarm)]} />;

const steps = ['acked', 'dispatched', 'arrived', 'resolved'] as const;

/** How far people have come with it: four marks, filled one after the other. */
export function HandlingSteps({ alarm }: { alarm: AlarmView }) {
  const reached = alarm.handling === 'closed' ? steps.length : (steps as readonly string[]).indexOf(alarm.handling) + 1;
  return (
    <span class="handling-steps" aria-hidden="true">
      {steps.map((step, index) => (
        <i key={step} class={index < reached ? 'reached' : ''} />
      ))}
    </span>
  );
}
