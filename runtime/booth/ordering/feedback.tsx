import { signal } from '@preact/signals';
import type { DeviceView } from '../../contracts/api.ts';
import { guarded } from '../access.ts';
import { mono } from '../clock.ts';
import { giveReason } from '../commands.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { Snapshot } from '../parts/snapshot.tsx';
import { Tap } from '../parts/tap.tsx';
import { asksReason, type Order, phaseOf } from '../state/orders.ts';
import { camerasOf, canAct, devices } from '../store.ts';
import { refusalWords } from '../words/refusals.ts';
import { say, t } from '../words/words.ts';
import { openingReasons } from './reasons.ts';
import { commandWords } from './sending.ts';

const stages = ['sent', 'executed', 'confirmed'] as const;

/** 已发送 → 已执行 → 已到位, or what came instead; never more than is known. */
export function Feedback({ order, short = false }: { order: Order; short?: boolean }) {
  const phase = phaseOf(order, mono.value);
  const device = devices.value.get(order.device);
  const name = commandWords(device?.scenario ?? '', order.name);
  if (phase === 'refused' || phase === 'expired' || phase === 'unknown') {
    const cause = order.words ? say(order.words) : refusalWords(order.code ?? 'command.expired', order.detail);
    const text = phase === 'unknown' ? t('gates.phase.unknown') : cause;
    return (
      <p class={`feedback feedback-${phase}`} role="status">
        {!short && <strong>{t(`gates.phase.${phase === 'unknown' ? 'unclear' : 'refused'}`, { name })}</strong>}
        <span>{text}</span>
        {!short && phase === 'unknown' && device && <LookTap device={device} />}
      </p>
    );
  }
  const unproven = phase === 'executed-unproven';
  const reached = phase === 'pressed' ? -1 : unproven ? 1 : stages.indexOf(phase as (typeof stages)[number]);
  if (short) {
    return (
      <p class="feedback" role="status">
        {t('common.pair', { a: name, b: t(phase === 'pressed' ? 'gates.phase.pressed' : phaseKey(phase)) })}
      </p>
    );
  }
  return (
    <p class="feedback" role="status">
      <strong>{name}</strong>
      {unproven ? (
        <span>{t('gates.phase.executed-unproven')}</span>
      ) : (
        stages.map((stage, index) => (
          <span key={stage} class={index <= reached ? 'stage reached' : 'stage'}>
            {index <= reached && <Icon name="check" />}
            {t(phaseKey(stage))}
          </span>
        ))
      )}
    </p>
  );
}

const phaseKey = (phase: (typeof stages)[number] | 'executed-unproven') => `gates.phase.${phase}` as const;

const looked = signal<DeviceView | undefined>(undefined);

/** Nobody can say what happened: the camera may. */
const LookTap = ({ device }: { device: DeviceView }) => (
  <Tap onTap={() => (looked.value = device)} of={device.name}>
    <Icon name="camera" />
    {t('snapshot.look')}
  </Tap>
);

export function LookDialog() {
  const device = looked.value;
  if (!device) return null;
  return (
    <Dialog title={device.name} onClose={() => (looked.value = undefined)}>
      <Snapshot cameras={camerasOf({ device: device.id, zone: device.zone })} />
    </Dialog>
  );
}

/** Why it was opened: eight chips, half a minute long. */
export function Reasons({ order }: { order: Order }) {
  if (!asksReason(order, mono.value)) return null;
  return (
    <fieldset class="reasons" aria-label={t('gates.reasons.label')}>
      {openingReasons.map((reason) => (
        <Tap
          key={reason}
          class="reason"
          disabled={!canAct.value}
          onTap={() => guarded(() => void giveReason(order, reason))}
        >
          {t(`gates.reason.${reason}`)}
        </Tap>
      ))}
    </fieldset>
  );
}
