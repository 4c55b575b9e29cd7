import { mono } from '../clock.ts';
import { narrow } from '../layout.ts';
import { commandWords, tapCommand, whyNot } from '../ordering/sending.ts';
import { Left } from '../parts/age.tsx';
import { usePress } from '../parts/press.ts';
import { Tap } from '../parts/tap.tsx';
import { askOf } from '../state/asks.ts';
import type { LaneView } from '../state/lanes.ts';
import { phaseOf } from '../state/orders.ts';
import { orders } from '../store.ts';
import { t } from '../words/words.ts';

const tap = (lane: LaneView, name: string) =>
  tapCommand({ device: lane.barrier, name, cause: lane.memory.waiting?.record });

export function OpenButton({ lane }: { lane: LaneView }) {
  const order = orders.value.get(lane.barrier.id);
  const press = usePress(() => tap(lane, 'open'));
  if (narrow.value) return <PressButton lane={lane} press={press} />;
  const pressed = order?.name === 'open' && phaseOf(order, mono.value) === 'pressed';
  return (
    <Tap
      kind="critical"
      look={lane.memory.waiting ? 'solid' : 'line'}
      class={`open ${pressed ? 'is-pressed' : ''}`}
      why={whyNot(lane.barrier, 'open')}
      onTap={() => tap(lane, 'open')}
      of={lane.name}
    >
      {commandWords(lane.barrier.scenario, 'open')}
    </Tap>
  );
}

function PressButton({ lane, press }: { lane: LaneView; press: ReturnType<typeof usePress> }) {
  const why = whyNot(lane.barrier, 'open');
  return (
    <button
      type="button"
      class={`tap tap-critical open ${lane.memory.waiting ? 'tap-solid' : 'tap-line'} ${press.pressing ? 'pressing' : ''}`}
      disabled={why !== undefined}
      {...press.handlers}
    >
      <span class="tap-word">{t('gates.action.press', { command: commandWords(lane.barrier.scenario, 'open') })}</span>
      <span class="hidden"> {lane.name}</span>
      {why !== undefined && <span class="tap-why">{why}</span>}
    </button>
  );
}

/** A command of the lane in its fixed place. */
function LaneTap({ lane, name, label }: { lane: LaneView; name: string; label?: string }) {
  return (
    <Tap
      kind="main"
      why={whyNot(lane.barrier, name)}
      note={askOf(lane.barrier.scenario, name) === 'captain' ? t('approval.tag') : undefined}
      onTap={() => tap(lane, name)}
      of={lane.name}
    >
      {label ?? commandWords(lane.barrier.scenario, name)}
    </Tap>
  );
}

/** What else a lane can do, always in the same places: a gate closes and holds open, a door is released or locked down. */
export function LaneButtons({ lane }: { lane: LaneView }) {
  if (lane.kind === 'door')
    return (
      <div class="lane-buttons">
        <LaneTap lane={lane} name={lane.arm === 'released' ? 'endRelease' : 'release'} />
        <LaneTap lane={lane} name={lane.held ? 'unlock' : 'lock'} />
      </div>
    );
  return (
    <div class="lane-buttons">
      <LaneTap lane={lane} name="close" />
      {lane.memory.holdUntil === undefined ? (
        <LaneTap lane={lane} name="lockOpen" label={t('gates.action.hold')} />
      ) : (
        <EndHold lane={lane} />
      )}
    </div>
  );
}

export function EndHold({ lane }: { lane: LaneView }) {
  return (
    <Tap
      kind="main"
      class="end-hold"
      why={whyNot(lane.barrier, 'endHold')}
      onTap={() => tap(lane, 'endHold')}
      of={lane.name}
    >
      {commandWords(lane.barrier.scenario, 'endHold')} <Left until={lane.memory.holdUntil ?? 0} />
    </Tap>
  );
}
