import type { DeviceView } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';
import { mono } from '../clock.ts';
import { openIncident } from '../incident-area.ts';
import { alarmTitle } from '../live/alarm-words.ts';
import { Feedback, Reasons } from '../ordering/feedback.tsx';
import { HeldLine } from '../ordering/held.tsx';
import { commandWords, tapCommand, whyNot } from '../ordering/sending.ts';
import { Age } from '../parts/age.tsx';
import { FaultMark, PriorityMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { isAside, isUnacked } from '../state/alarms.ts';
import { askOf, commandsFor } from '../state/asks.ts';
import { pointsOf } from '../state/device-groups.ts';
import { isFresh } from '../state/devices.ts';
import { leaseOf } from '../state/leases.ts';
import { asksReason } from '../state/orders.ts';
import { limitsOf, unitOf, valueText } from '../state/readings.ts';
import { alarms, leases, orders, session, zoneName } from '../store.ts';
import { pointWords } from '../words/describe.ts';
import { say, t, word } from '../words/words.ts';

/** One device: its line, its alarms, what it says, what it is held by, and its commands in fixed order. */
export function DeviceCard({ device }: { device: DeviceView }) {
  const off = device.link.state !== 'online';
  const scenario = scenarioOf(device.scenario);
  const own = [...alarms.value.open.values()].filter((alarm) => alarm.device === device.id && !isAside(alarm));
  return (
    <li class={off ? 'device-card device-off' : 'device-card'}>
      <header class="device-card-head">
        <h2>
          {off && <FaultMark />}
          {device.name}
        </h2>
        <p class="second">
          {scenario ? say(scenario.title) : device.scenario} · {zoneName(device.zone)}
        </p>
        {off && (
          <p class="device-lost">
            {t('devices.lost')} <Age since={device.link.since} />
          </p>
        )}
      </header>
      {own.length > 0 && (
        <div class="choices">
          {own.map((alarm) => (
            <Tap key={alarm.id} onTap={() => openIncident(alarm.id)} of={device.name}>
              <PriorityMark priority={alarm.priority} flash={isUnacked(alarm)} gone={alarm.returnedAt !== undefined} />
              {alarmTitle(alarm)}
            </Tap>
          ))}
        </div>
      )}
      <Points device={device} />
      {[...leases.value.values()]
        .filter((held) => held.device === device.id)
        .map((held) => (
          <HeldLine key={held.command} held={held} />
        ))}
      <Commands device={device} />
    </li>
  );
}

/** A value that is not of now is grey and tells its age: an old floor is never a fact. */
function Points({ device }: { device: DeviceView }) {
  const points = pointsOf(device);
  if (points.length === 0) return <p class="second">{t('devices.no_points')}</p>;
  return (
    <dl class="figure-row old-when-lost">
      {points.map((name) => {
        const point = device.points[name];
        const fresh = isFresh(device, name);
        const limit = limitsOf(device, name);
        const over = fresh && limit?.over === true;
        return (
          <div key={name} class={`figure ${over ? 'over' : ''} ${fresh ? '' : 'old'}`}>
            <dt>{pointWords(device.scenario, name)}</dt>
            <dd class="digits">
              {typeof point?.value === 'number'
                ? valueText(point.value)
                : word(`point.value.${String(point?.value)}`, valueText(point?.value))}
              {typeof point?.value === 'number' && <span class="unit"> {unitOf(device.scenario, name)}</span>}
              {over && <b class="tag">{t('live.figures.over')}</b>}
            </dd>
            {!fresh && point && (
              <dd class="figure-note">
                {t('devices.old')} <Age since={point.received} />
              </dd>
            )}
            {fresh && limit && <dd class="figure-note">{t('live.figures.limit', { n: limit.value })}</dd>}
          </div>
        );
      })}
    </dl>
  );
}

function Commands({ device }: { device: DeviceView }) {
  const held = [...leases.value.values()].some((lease) => lease.device === device.id);
  // What lets go stands with what is held, in its line above.
  const release = held ? leaseOf(device.scenario)?.release : undefined;
  const names = commandsFor(device.scenario, device.commands, session.value?.role).filter((name) => name !== release);
  const order = orders.value.get(device.id);
  if (names.length === 0) return null;
  return (
    <div class="device-commands">
      <div class="choices">
        {names.map((name) => (
          <Tap
            key={name}
            kind="main"
            why={whyNot(device, name)}
            note={askOf(device.scenario, name) === 'captain' ? t('approval.tag') : undefined}
            onTap={() => tapCommand({ device, name })}
            of={device.name}
          >
            {commandWords(device.scenario, name)}
          </Tap>
        ))}
      </div>
      {order && mono.value - order.tappedAt < SHOWN_MS && <Feedback order={order} />}
      {order && asksReason(order, mono.value) && <Reasons order={order} />}
    </div>
  );
}

const SHOWN_MS = 30_000;
