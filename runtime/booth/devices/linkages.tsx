import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { LinkageTest, LinkageView } from '../../contracts/linkage-view.ts';
import { linkages as table } from '../../contracts/linkages.ts';
import { guarded } from '../access.ts';
import { call, get } from '../api.ts';
import { Age, Time } from '../parts/age.tsx';
import { askApproval, leads } from '../parts/approval.tsx';
import { Icon } from '../parts/icons.tsx';
import { FaultMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { outputWords, placeName } from '../shell/linkage-banner.tsx';
import { type LinkageOutput, phaseOfOutput, type RunningLinkage } from '../state/linkages.ts';
import { canAct, deviceName, linkages, lost, session } from '../store.ts';
import { actorWords } from '../words/actors.ts';
import { failureWords } from '../words/refusals.ts';
import { say, t } from '../words/words.ts';

const listed = signal<readonly LinkageView[] | undefined>(undefined);
const trouble = signal('');
/** What the last test of this screen found, by linkage. */
const tests = signal<ReadonlyMap<string, LinkageTest>>(new Map());

function read(): void {
  get<{ readonly items: readonly LinkageView[] }>('/linkages').then(
    ({ items }) => {
      trouble.value = '';
      listed.value = items;
    },
    (error: unknown) => (trouble.value = failureWords(error)),
  );
}

/** Each safety linkage: whether it is ready, what it would do and where, when it was last tried, and a dry test. */
export function LinkagesTab() {
  const running = linkages.value;
  // What runs comes with the stream; what is ready is asked for again when something began or ended.
  useEffect(read, [running.size]);
  if (trouble.value !== '')
    return (
      <div class="empty">
        <p role="alert">{trouble.value}</p>
        <Tap kind="main" onTap={read}>
          {t('common.action.retry')}
        </Tap>
      </div>
    );
  if (!listed.value) return <p class="empty late">{t('common.loading')}</p>;
  return (
    <ul class="linkages old-when-lost">
      {listed.value.map((linkage) => (
        <LinkageCard
          key={linkage.id}
          linkage={linkage}
          runs={[...running.values()].filter((run) => run.linkage === linkage.id)}
        />
      ))}
    </ul>
  );
}

function LinkageCard({ linkage, runs }: { linkage: LinkageView; runs: readonly RunningLinkage[] }) {
  const state = runs.length > 0 ? 'active' : linkage.state === 'active' ? 'ready' : linkage.state;
  const warnings = linkage.places.flatMap(({ id, warnings: all }) => all.map((warning) => ({ place: id, warning })));
  return (
    <li class={`linkage linkage-${state}`}>
      <header class="linkage-head">
        <h2>
          {say(linkage.words)} <span class="second">{linkage.id}</span>
        </h2>
        <p class="linkage-state">
          {state === 'incomplete' || state === 'absent' ? (
            <FaultMark />
          ) : (
            <Icon name={state === 'active' ? 'active' : 'check'} />
          )}
          {t(`linkage.state.${state}`)}
        </p>
      </header>
      <p>{say(linkage.about)}</p>
      {warnings.map(({ place, warning }) => (
        <p key={`${place} ${warning.words.en}`} class="linkage-warning">
          {t('common.pair', { a: placeName(place), b: say(warning.words) })}
        </p>
      ))}
      {runs.map((run) => (
        <Run key={run.place} run={run} />
      ))}
      <Places linkage={linkage} />
      <Tried linkage={linkage} />
    </li>
  );
}

/** What it does right now, output by output. */
function Run({ run }: { run: RunningLinkage }) {
  return (
    <div class="linkage-now">
      <p>
        <strong>{placeName(run.place)}</strong> <Age since={run.since} />{' '}
        <span class="second">{run.sources.map(({ device }) => deviceName(device)).join(t('common.comma'))}</span>
      </p>
      <ul>
        {run.outputs.map((output) => (
          <li key={`${output.device} ${output.command ?? output.point}`}>
            <OutputLine output={output} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function OutputLine({ output }: { output: LinkageOutput }) {
  const phase = phaseOfOutput(output);
  return (
    <>
      {phase === 'done' ? <Icon name="check" /> : phase === 'failed' ? <FaultMark /> : <Icon name="clock" />}
      <span>{t('linkage.output', { what: outputWords(output), where: deviceName(output.device) })}</span>
      <strong>{t(`linkage.phase.${phase}`)}</strong>
    </>
  );
}

/** One thing it would do; a device that does not answer now could not. */
function OutputPlan({ output, link }: { output: LinkageOutput; link: 'online' | 'offline' | 'unknown' }) {
  return (
    <li>
      {link !== 'online' && <FaultMark />}
      {t('linkage.output', { what: outputWords(output), where: deviceName(output.device) })}
      {link !== 'online' && <strong>{t(`device.link.${link}`)}</strong>}
    </li>
  );
}

/** What it would do, place by place. */
function Places({ linkage }: { linkage: LinkageView }) {
  const ends = table.find(({ id }) => id === linkage.id)?.ends ?? 'signal';
  return (
    <details class="linkage-places">
      <summary class="tap tap-plain tap-line">{t('linkage.would')}</summary>
      {linkage.places.length === 0 && <p class="second">{t('linkage.nowhere')}</p>}
      {linkage.places.map(({ id, sources, outputs, watches }) => (
        <div key={id}>
          <h3>{placeName(id)}</h3>
          <p>
            {t('linkage.when')} {sources.map(({ device }) => deviceName(device)).join(t('common.comma'))}
          </p>
          <ul>
            {outputs.map(({ device, command, link }) => (
              <OutputPlan key={`${device} ${command}`} output={{ device, command }} link={link} />
            ))}
            {watches.map(({ device, point, link }) => (
              <OutputPlan key={`${device} ${point}`} output={{ device, point }} link={link} />
            ))}
          </ul>
        </div>
      ))}
      <p class="second">{t(`linkage.ends.${ends}`)}</p>
    </details>
  );
}

/** When it was last tried and last ran, and the dry test: it touches no output and is on record with a name. */
function Tried({ linkage }: { linkage: LinkageView }) {
  const test = tests.value.get(linkage.id);
  const tested = test ?? linkage.lastTested;
  const run = async (approval?: string) => {
    const options = approval === undefined ? {} : { approval };
    const result = await call<LinkageTest>('POST', `/linkages/${linkage.id}/test`, {}, options);
    tests.value = new Map(tests.peek()).set(linkage.id, result);
    read();
  };
  const own = leads(session.value?.role) || session.value?.role === 'installer';
  const tap = () => {
    if (own) guarded(() => void run().catch((error: unknown) => (trouble.value = failureWords(error))));
    else askApproval({ what: t('linkage.approve', { linkage: say(linkage.words) }), run });
  };
  const why = lost.value ? t('gates.why.lost') : canAct.value ? undefined : t('gates.why.read_only');
  return (
    <div class="linkage-tried">
      <p>
        {tested ? (
          <>
            {t('linkage.tested')} <Time at={tested.at} /> <span class="second">{actorWords(tested.by)}</span>{' '}
            <strong>{t(tested.passed ? 'linkage.passed' : 'linkage.not_passed')}</strong>
          </>
        ) : (
          <strong>{t('linkage.never_tested')}</strong>
        )}
        {linkage.lastRan && (
          <span class="second">
            {' '}
            {t('linkage.ran')} <Time at={linkage.lastRan.at} /> {placeName(linkage.lastRan.place)}
          </span>
        )}
      </p>
      <Tap kind="main" why={why} note={own ? undefined : t('approval.tag')} onTap={tap} of={say(linkage.words)}>
        {t('linkage.test')}
      </Tap>
      {test && <Results test={test} />}
    </div>
  );
}

/** What the test found: does each signal begin it, does each device answer. */
function Results({ test }: { test: LinkageTest }) {
  return (
    <ul class="linkage-results" role="status">
      {test.places.flatMap(({ id, triggers, outputs, watches }) => [
        ...triggers.map(({ alarm, devices: from, works }) => (
          <Result
            key={`${id} ${alarm} ${from.join()}`}
            good={works}
            words={t(works ? 'linkage.works' : 'linkage.deaf')}
          >
            {from.map(deviceName).join(t('common.comma'))}
          </Result>
        )),
        ...outputs.map(({ device, command, reachable, problem }) => (
          <Result
            key={`${id} ${device} ${command}`}
            good={reachable}
            words={problem ? say(problem) : t('linkage.reachable')}
          >
            {t('linkage.output', { what: outputWords({ device, command }), where: deviceName(device) })}
          </Result>
        )),
        ...watches.map(({ device, point, reachable }) => (
          <Result
            key={`${id} ${device} ${point}`}
            good={reachable}
            words={t(reachable ? 'linkage.reachable' : 'linkage.unreachable')}
          >
            {t('linkage.output', { what: outputWords({ device, point }), where: deviceName(device) })}
          </Result>
        )),
      ])}
    </ul>
  );
}

function Result({ good, words, children }: { good: boolean; words: string; children: ComponentChildren }) {
  return (
    <li>
      {good ? <Icon name="check" /> : <FaultMark />}
      <span>{children}</span>
      <strong>{words}</strong>
    </li>
  );
}
