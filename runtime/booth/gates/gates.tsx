import { signal } from '@preact/signals';
import { mono } from '../clock.ts';
import { narrow, wide } from '../layout.ts';
import { Feedback, Reasons } from '../ordering/feedback.tsx';
import { HeldLine } from '../ordering/held.tsx';
import { commandWords } from '../ordering/sending.ts';
import { Age, Left, Time } from '../parts/age.tsx';
import { Icon } from '../parts/icons.tsx';
import { Plate, plateColourWord } from '../parts/plate.tsx';
import { FaultMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import type { LaneView, Passage } from '../state/lanes.ts';
import { asksReason, orderShown } from '../state/orders.ts';
import { laneList, orders } from '../store.ts';
import { actorWords, isPerson } from '../words/actors.ts';
import { reasonWords } from '../words/describe.ts';
import { t, word } from '../words/words.ts';
import { LaneButtons, OpenButton } from './controls.tsx';

/** Lanes on one page: as many as a panel can show without anything moving; a phone scrolls. */
const perPage = (): number => (narrow.value ? 24 : wide.value ? 3 : 2);
const page = signal(0);

export function GatesScreen() {
  const lanes = laneList.value;
  const pages = Math.max(1, Math.ceil(lanes.length / perPage()));
  const shown = Math.min(page.value, pages - 1);
  return (
    <main class="gates" aria-labelledby="gates-title">
      <header class={pages > 1 ? 'screen-head' : 'hidden'}>
        <h1 id="gates-title">{t('gates.title')}</h1>
        {pages > 1 && (
          <div class="pager">
            <Tap
              class="tap-icon"
              label={t('common.page.before')}
              disabled={shown === 0}
              onTap={() => (page.value = shown - 1)}
            >
              <Icon name="left" />
            </Tap>
            <span class="digits">{`${shown + 1} / ${pages}`}</span>
            <Tap
              class="tap-icon"
              label={t('common.page.after')}
              disabled={shown === pages - 1}
              onTap={() => (page.value = shown + 1)}
            >
              <Icon name="right" />
            </Tap>
          </div>
        )}
      </header>
      {lanes.length === 0 ? (
        <p class="empty">{t('gates.empty')}</p>
      ) : (
        <div class="lanes">
          {lanes.slice(shown * perPage(), (shown + 1) * perPage()).map((lane) => (
            <LaneCard key={lane.barrier.id} lane={lane} />
          ))}
        </div>
      )}
    </main>
  );
}

function LaneCard({ lane }: { lane: LaneView }) {
  const mine = orders.value.get(lane.barrier.id);
  const order = orderShown(lane, mono.value, mine);
  return (
    <article class={lane.memory.waiting ? 'lane lane-waiting' : 'lane'} aria-label={lane.name}>
      <header class="lane-head">
        <h2>
          <Icon name={lane.kind === 'door' ? 'door' : lane.direction === 'in' ? 'in' : 'exit'} />
          {lane.name}
        </h2>
        <Arm lane={lane} />
      </header>
      {lane.kind === 'vehicle' && <LastPlate lane={lane} />}
      {lane.held && <HeldLine held={lane.held} />}
      <OpenButton lane={lane} />
      <LaneButtons lane={lane} />
      <div class="lane-foot">
        {order ? <Feedback order={order} /> : <LastCommand lane={lane} />}
        {mine && asksReason(mine, mono.value) ? (
          <>
            <p class="second">{t('gates.reasons.title')}</p>
            <Reasons order={mine} />
          </>
        ) : (
          lane.kind === 'vehicle' && <Passages lane={lane} />
        )}
      </div>
    </article>
  );
}

/** Where the arm is, and whether anything proves it. */
export function Arm({ lane, short = false }: { lane: LaneView; short?: boolean }) {
  if (lane.barrier.link.state === 'offline')
    return (
      <span class="arm arm-unknown">
        <FaultMark />
        {t('device.link.offline')} <Age since={lane.barrier.link.since} />
      </span>
    );
  if (lane.arm === 'unknown' && lane.hasPosition)
    return (
      <span class="arm arm-unknown">
        <FaultMark />
        {t('lane.arm.unknown')}
      </span>
    );
  const held = lane.memory.holdUntil;
  return (
    <span class={`arm arm-${lane.arm} old-when-lost`}>
      {t(`lane.arm.${lane.arm}`)}
      {held !== undefined && !short && (
        <span class="arm-hold">
          {t('lane.arm.held')} <Left until={held} />
        </span>
      )}
      {!short && <Proof lane={lane} />}
    </span>
  );
}

/** Only an end position is ever confirmed; an arm on its way is not there yet. */
function Proof({ lane }: { lane: LaneView }) {
  if (!lane.hasPosition) return <span class="second">{t('lane.arm.unproven')}</span>;
  return lane.arm === 'open' || lane.arm === 'closed' || lane.kind === 'door' ? (
    <span class="second">{t('lane.arm.proven')}</span>
  ) : null;
}

function LastPlate({ lane }: { lane: LaneView }) {
  const { seen, decision, waiting } = lane.memory;
  if (!seen && !decision) return <div class="lane-plate lane-plate-none">{t('lane.plate.none')}</div>;
  const plate = seen?.plate ?? decision?.plate;
  return (
    <div class="lane-plate old-when-lost">
      <div class="lane-plate-row">
        <Plate plate={plate} colour={seen?.colour ?? 'unknown'} />
        <span class="second">
          {plateColourWord(seen?.colour ?? 'unknown')} <Time at={seen?.at ?? decision?.at ?? 0} />
        </span>
      </div>
      <p class={`decision ${decision?.allow ? 'decision-yes' : decision ? 'decision-no' : ''}`}>
        {decision ? (
          <>
            {decision.allow ? <Icon name="check" /> : <Icon name="close" />}
            {word(`access.reason.${decision.reason}`, decision.reason)}
          </>
        ) : (
          t('lane.decision.none')
        )}
        {waiting && (
          <strong class="waiting">
            {t('lane.waiting')} <Age since={waiting.at} />
          </strong>
        )}
      </p>
    </div>
  );
}

/** What somebody else, or a flow, last asked of this lane. */
function LastCommand({ lane }: { lane: LaneView }) {
  const { command } = lane.memory;
  if (!command) return <p class="feedback second">{t('lane.command.none')}</p>;
  return (
    <p class="feedback old-when-lost">
      <strong>{commandWords(lane.barrier.scenario, command.name)}</strong>
      <span>
        {command.state === 'succeeded' && command.proven
          ? t('gates.phase.confirmed')
          : word(`command.state.${command.state}`, command.state)}
      </span>
      <span class="second">
        {actorWords(command.actor)} <Time at={command.at} />
      </span>
    </p>
  );
}

function Passages({ lane }: { lane: LaneView }) {
  const { passages } = lane.memory;
  return (
    <div class="passages old-when-lost">
      <p class="second">{t('lane.passages.title')}</p>
      {passages.length === 0 ? (
        <p class="second">{t('lane.passages.none')}</p>
      ) : (
        <ol>
          {passages.map((passage) => (
            <PassageRow key={passage.record} passage={passage} />
          ))}
        </ol>
      )}
    </div>
  );
}

function PassageRow({ passage }: { passage: Passage }) {
  return (
    <li>
      <Time at={passage.at} />
      <span>{openedWords(passage)}</span>
      <strong class="plate-text">{passage.plate ?? t('gates.plate.unread')}</strong>
    </li>
  );
}

/** `自动放行`, `手动 访客已确认`. */
export function openedWords(passage: Passage): string {
  if (!isPerson(passage.openedBy)) return t('lane.passage.automatic');
  const who = actorWords(passage.openedBy);
  return t('lane.passage.manual', { why: passage.reason === undefined ? who : reasonWords(passage.reason) });
}
