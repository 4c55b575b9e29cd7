import { useState } from 'preact/hooks';
import { guarded } from '../access.ts';
import { mono } from '../clock.ts';
import { giveReason, sendCommand } from '../commands.ts';
import { narrow } from '../layout.ts';
import { Left } from '../parts/age.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { usePress } from '../parts/press.ts';
import { Tap } from '../parts/tap.tsx';
import type { LaneView } from '../state/lanes.ts';
import { asksReason, interlockOf, type Order, phaseOf } from '../state/orders.ts';
import { canAct, devices, lost, orders, readOnly } from '../store.ts';
import { refusalWords } from '../words/refusals.ts';
import { say, t } from '../words/words.ts';

export const openingReasons = [
  'visitor',
  'misread',
  'delivery',
  'emergency',
  'construction',
  'fault',
  'resident',
  'other',
] as const;

const HOLD_MINUTES = [5, 15, 30];

/** Why a command of this lane cannot be sent now; undefined: it can. */
export function whyNot(lane: LaneView, name: string): string | undefined {
  if (lost.value) return t('gates.why.lost');
  if (readOnly.value) return t('gates.why.read_only');
  if (!canAct.value) return t('gates.why.starting');
  if (lane.barrier.link.state !== 'online') return t('gates.why.offline');
  if (!lane.barrier.commands.includes(name)) return t('gates.why.rights');
  const lock = interlockOf(devices.value, lane.barrier.id, name);
  return lock && say(lock.words);
}

const send = (lane: LaneView, name: string, input?: Record<string, unknown>) =>
  guarded(() => void sendCommand(lane.barrier.id, name, input, lane.memory.waiting?.record));

export function OpenButton({ lane }: { lane: LaneView }) {
  const order = orders.value.get(lane.barrier.id);
  const press = usePress(() => send(lane, 'open'));
  if (narrow.value) return <PressButton lane={lane} press={press} />;
  const pressed = order?.name === 'open' && phaseOf(order, mono.value) === 'pressed';
  return (
    <Tap
      kind="critical"
      look={lane.memory.waiting ? 'solid' : 'line'}
      class={`open ${pressed ? 'is-pressed' : ''}`}
      why={whyNot(lane, 'open')}
      onTap={() => send(lane, 'open')}
      of={lane.zone.name}
    >
      {t('gates.action.open')}
    </Tap>
  );
}

function PressButton({ lane, press }: { lane: LaneView; press: ReturnType<typeof usePress> }) {
  const why = whyNot(lane, 'open');
  return (
    <button
      type="button"
      class={`tap tap-critical open ${lane.memory.waiting ? 'tap-solid' : 'tap-line'} ${press.pressing ? 'pressing' : ''}`}
      disabled={why !== undefined}
      {...press.handlers}
    >
      <span class="tap-word">{t('gates.action.press_open')}</span>
      <span class="hidden"> {lane.zone.name}</span>
      {why !== undefined && <span class="tap-why">{why}</span>}
    </button>
  );
}

/** Close, hold open and end hold, always in the same places. */
export function LaneButtons({ lane }: { lane: LaneView }) {
  const [asked, setAsked] = useState<'close' | 'hold' | undefined>(undefined);
  const held = lane.memory.holdUntil;
  // Without a sensor under the arm a person has to look first.
  const blind = lane.barrier.points.loopOccupied === undefined;
  return (
    <div class="lane-buttons">
      <Tap
        kind="main"
        why={whyNot(lane, 'close')}
        onTap={() => (blind ? setAsked('close') : send(lane, 'close'))}
        of={lane.zone.name}
      >
        {t('gates.action.close')}
      </Tap>
      {held === undefined ? (
        <Tap kind="main" why={whyNot(lane, 'lockOpen')} onTap={() => setAsked('hold')} of={lane.zone.name}>
          {t('gates.action.hold')}
        </Tap>
      ) : (
        <EndHold lane={lane} />
      )}
      {asked === 'hold' && <HoldDialog lane={lane} onClose={() => setAsked(undefined)} />}
      {asked === 'close' && <CloseDialog lane={lane} onClose={() => setAsked(undefined)} />}
    </div>
  );
}

export function EndHold({ lane }: { lane: LaneView }) {
  return (
    <Tap
      kind="main"
      class="end-hold"
      why={whyNot(lane, 'endHold')}
      onTap={() => send(lane, 'endHold')}
      of={lane.zone.name}
    >
      {t('gates.action.end_hold')} <Left until={lane.memory.holdUntil ?? 0} />
    </Tap>
  );
}

function HoldDialog({ lane, onClose }: { lane: LaneView; onClose: () => void }) {
  return (
    <Dialog title={t('gates.hold.title', { lane: lane.zone.name })} onClose={onClose}>
      <p>{t('gates.hold.text')}</p>
      <div class="choices">
        {HOLD_MINUTES.map((minutes) => (
          <Tap
            key={minutes}
            kind="critical"
            onTap={() => {
              onClose();
              send(lane, 'lockOpen', { holdSeconds: minutes * 60 });
            }}
          >
            {t('gates.hold.minutes', { n: minutes })}
          </Tap>
        ))}
      </div>
    </Dialog>
  );
}

function CloseDialog({ lane, onClose }: { lane: LaneView; onClose: () => void }) {
  return (
    <Dialog title={t('gates.close.title', { lane: lane.zone.name })} onClose={onClose}>
      <p>{t('gates.close.text')}</p>
      <div class="choices">
        <Tap
          kind="critical"
          onTap={() => {
            onClose();
            send(lane, 'close');
          }}
        >
          {t('gates.action.close')}
        </Tap>
      </div>
    </Dialog>
  );
}

const stages = ['sent', 'executed', 'confirmed'] as const;

/** 已发送 → 已执行 → 已到位, or what came instead; never more than is known. */
export function Feedback({ order, short = false }: { order: Order; short?: boolean }) {
  const phase = phaseOf(order, mono.value);
  const name = t(`gates.command.${order.name}` as 'gates.command.open');
  if (phase === 'refused' || phase === 'expired' || phase === 'unknown') {
    const text =
      phase === 'unknown' ? t('gates.phase.unknown') : refusalWords(order.code ?? 'command.expired', order.detail);
    return (
      <p class={`feedback feedback-${phase}`} role="status">
        {!short && <strong>{t(`gates.phase.${phase === 'unknown' ? 'unclear' : 'refused'}`, { name })}</strong>}
        <span>{text}</span>
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
