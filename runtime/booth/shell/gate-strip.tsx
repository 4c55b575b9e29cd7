import { mono } from '../clock.ts';
import { EndHold, OpenButton } from '../gates/controls.tsx';
import { Arm } from '../gates/gates.tsx';
import { Feedback, Reasons } from '../ordering/feedback.tsx';
import { Age, Time } from '../parts/age.tsx';
import { Shield } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { Plate } from '../parts/plate.tsx';
import { route } from '../route.ts';
import type { LaneView } from '../state/lanes.ts';
import { asksReason, type Order, orderShown, REASON_WITHIN_MS } from '../state/orders.ts';
import { laneList, orders } from '../store.ts';
import { t, word } from '../words/words.ts';

/** Every gate one tap away; at 1280 it is the bar at the bottom of every screen. */
export function GateStrip() {
  const all = laneList.value;
  const lanes = all.filter((lane) => lane.kind === 'vehicle');
  if (lanes.length === 0) return null;
  return (
    <section class="strip" aria-label={t('strip.label')}>
      <div class="strip-lanes">
        {lanes.map((lane) => (
          <StripLane key={lane.barrier.id} lane={lane} />
        ))}
      </div>
      {route.value !== 'gates' && <ReasonBar lanes={all} />}
    </section>
  );
}

/** Feedback stands in the place of the plate this long, unless another vehicle waits there. */
const FEEDBACK_MS = 10_000;

function StripLane({ lane }: { lane: LaneView }) {
  const { waiting } = lane.memory;
  const order = orderShown(lane, mono.value, orders.value.get(lane.barrier.id));
  const recent = order && !waiting && mono.value - order.tappedAt < FEEDBACK_MS ? order : undefined;
  return (
    <div class={waiting ? 'strip-lane strip-waiting' : 'strip-lane'}>
      <div class="strip-words old-when-lost">
        <span class="strip-name">
          <Icon name={lane.direction === 'in' ? 'in' : 'exit'} />
          {lane.name}
          <Arm lane={lane} short />
        </span>
        <span class="strip-line">
          {recent ? (
            <Feedback order={recent} short />
          ) : (
            <>
              {(lane.memory.seen || waiting) && (
                <Plate
                  plate={waiting?.plate ?? lane.memory.seen?.plate}
                  colour={lane.memory.seen?.colour ?? 'unknown'}
                />
              )}
              {!waiting && lane.memory.decision && (
                <span class="second">
                  {word(`access.reason.${lane.memory.decision.reason}`, lane.memory.decision.reason)}{' '}
                  <Time at={lane.memory.decision.at} />
                </span>
              )}
              {waiting && (
                <strong class="waiting">
                  {word(`access.reason.${waiting.reason}`, waiting.reason)} <Age since={waiting.at} />
                </strong>
              )}
            </>
          )}
        </span>
      </div>
      {lane.memory.holdUntil !== undefined && <EndHold lane={lane} />}
      <OpenButton lane={lane} />
    </div>
  );
}

/** After an opening from the strip: the chips that name its reason, over the strip, for half a minute. */
function ReasonBar({ lanes }: { lanes: readonly LaneView[] }) {
  const asking = lanes
    .map((lane) => ({ lane, order: orders.value.get(lane.barrier.id) }))
    .filter((entry): entry is { lane: LaneView; order: Order } => entry.order !== undefined)
    .filter(({ order }) => asksReason(order, mono.value))
    .sort((a, b) => b.order.tappedAt - a.order.tappedAt)[0];
  if (!asking) return null;
  const left = Math.ceil((REASON_WITHIN_MS - (mono.value - asking.order.tappedAt)) / 1000);
  return (
    <div class="reason-bar">
      <p>
        {t('gates.reasons.of', { lane: asking.lane.name })} <span class="digits">{left}</span>
      </p>
      <Reasons order={asking.order} />
      <Shield of={asking.order.key} />
    </div>
  );
}
