import type { DeviceView } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';
import { clock } from '../clock.ts';
import { FaultMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { isFresh } from '../state/devices.ts';
import { alarmRate, RATE_LIMIT, unreasoned } from '../state/figures.ts';
import { limitsOf, unitOf, valueText } from '../state/readings.ts';
import { devices, figures } from '../store.ts';
import { pointWords } from '../words/describe.ts';
import { t } from '../words/words.ts';
import { openMissingReasons } from './missing-reasons.tsx';

/** Today's numbers, the alarm rate, and the air. Grey and small: they matter when somebody looks. */
export function DayFigures() {
  const today = figures.value;
  const rate = alarmRate(today, clock.value);
  const missing = unreasoned(today).length;
  const stations = [...devices.value.values()].filter((device) => device.scenario === 'environment-monitoring');
  return (
    <section class="figures old-when-lost" aria-label={t('live.figures.label')}>
      <dl class="figure-row">
        <Figure name={t('live.figures.passages')}>{today.passages}</Figure>
        <Figure name={t('live.figures.manual')}>{today.manual.size}</Figure>
        <Figure name={t('live.figures.alarms')}>{today.alarms}</Figure>
        <RateMeter rate={rate} />
        {missing > 0 && (
          <div class="figure">
            <dt class="hidden">{t('missing.figure')}</dt>
            <dd>
              <Tap onTap={openMissingReasons}>
                {t('missing.figure')} <span class="digits">{missing}</span>
              </Tap>
            </dd>
          </div>
        )}
      </dl>
      {stations.map((station) => (
        <Station key={station.id} station={station} />
      ))}
    </section>
  );
}

/** Alarms of the last ten minutes against the budget of ten: grey within, and said in words beyond. */
function RateMeter({ rate }: { rate: number }) {
  const over = rate > RATE_LIMIT;
  return (
    <div class={over ? 'figure over' : 'figure'}>
      <dt>{t('live.figures.rate', { limit: RATE_LIMIT })}</dt>
      <dd class="digits rate">
        {rate}
        <span class="rate-meter" aria-hidden="true">
          {Array.from({ length: RATE_LIMIT }, (_, index) => (
            <i key={index} class={index < rate ? 'used' : ''} />
          ))}
        </span>
        {over && <b class="tag">{t('live.figures.over')}</b>}
      </dd>
    </div>
  );
}

function Station({ station }: { station: DeviceView }) {
  const points = Object.keys(scenarioOf(station.scenario)?.telemetry ?? {}).filter((point) => station.points[point]);
  return (
    <div class="station">
      <h2 class="station-name">
        {station.link.state !== 'online' && <FaultMark />}
        {station.name}
      </h2>
      <dl class="figure-row">
        {points.map((point) => {
          const limit = limitsOf(station, point);
          const fresh = isFresh(station, point);
          return (
            <Figure
              key={point}
              name={pointWords(station.scenario, point)}
              over={fresh && limit?.over === true}
              old={!fresh}
              note={limit && t('live.figures.limit', { n: limit.value })}
            >
              {valueText(station.points[point]?.value)}
              <span class="unit"> {unitOf(station.scenario, point)}</span>
            </Figure>
          );
        })}
      </dl>
    </div>
  );
}

function Figure(props: {
  name: string;
  over?: boolean;
  old?: boolean;
  note?: string | undefined;
  children: preact.ComponentChildren;
}) {
  return (
    <div class={`figure ${props.over ? 'over' : ''} ${props.old ? 'old' : ''}`}>
      <dt>{props.name}</dt>
      <dd class="digits">
        {props.children}
        {props.over && <b class="tag">{t('live.figures.over')}</b>}
      </dd>
      {props.note !== undefined && <dd class="figure-note">{props.note}</dd>}
    </div>
  );
}
