import { linkages as table } from '../../contracts/linkages.ts';
import { showLinkages } from '../devices/tabs.ts';
import { commandWords } from '../ordering/sending.ts';
import { Age } from '../parts/age.tsx';
import { Icon } from '../parts/icons.tsx';
import { type LinkageOutput, phaseOfOutput, type RunningLinkage } from '../state/linkages.ts';
import { deviceName, devices, linkages, zoneName } from '../store.ts';
import { pointWords } from '../words/describe.ts';
import { say, t } from '../words/words.ts';

/** While a safety linkage is at work: what it released or held, what is not confirmed, and what ends it. On every screen. */
export function LinkageBanner() {
  const running = [...linkages.value.values()];
  if (running.length === 0) return null;
  return (
    <section class="linkage-banner" role="status" aria-label={t('linkage.running')}>
      {running.map((run) => (
        <Running key={`${run.linkage} ${run.place}`} run={run} />
      ))}
    </section>
  );
}

function Running({ run }: { run: RunningLinkage }) {
  const kind = table.find(({ id }) => id === run.linkage);
  const done = run.outputs.filter((output) => phaseOfOutput(output) === 'done');
  const open = run.outputs.filter((output) => phaseOfOutput(output) !== 'done');
  return (
    <button type="button" class="linkage-run" onClick={showLinkages}>
      <span class="linkage-run-title">
        <Icon name="linkage" />
        <strong>
          {t('linkage.at_work', { linkage: kind ? say(kind.words) : run.linkage, place: placeName(run.place) })}
        </strong>
        <Age since={run.since} />
        {kind && <span class="linkage-ends">{t(`linkage.ends.${kind.ends}`)}</span>}
      </span>
      {done.length > 0 && (
        <span>
          <Icon name="check" /> {t('linkage.done', { what: outputCounts(done) })}
        </span>
      )}
      {open.length > 0 && <strong class="linkage-open">{t('linkage.unconfirmed', { what: outputList(open) })}</strong>}
    </button>
  );
}

/** A place of a linkage is a zone, a device or the whole compound. */
export const placeName = (place: string): string =>
  place === 'compound' ? t('linkage.compound') : devices.value.has(place) ? deviceName(place) : zoneName(place);

/** What is done needs no names: `常开 2、断电 2、启动警报器`. */
function outputCounts(outputs: readonly LinkageOutput[]): string {
  const counts = new Map<string, number>();
  for (const output of outputs) counts.set(outputWords(output), (counts.get(outputWords(output)) ?? 0) + 1);
  return [...counts].map(([words, n]) => (n === 1 ? words : `${words} ${n}`)).join(t('common.comma'));
}

/** `开闸 东门进道闸、东门出道闸`: what somebody has to look at is named, outputs of one command together. */
function outputList(outputs: readonly LinkageOutput[]): string {
  const groups = new Map<string, string[]>();
  for (const output of outputs) {
    const words = outputWords(output);
    groups.set(words, [...(groups.get(words) ?? []), deviceName(output.device)]);
  }
  return [...groups]
    .map(([words, names]) => t('linkage.output', { what: words, where: names.join(t('common.comma')) }))
    .join(t('common.semicolon'));
}

export function outputWords({ device, command, point }: LinkageOutput): string {
  const scenario = devices.value.get(device)?.scenario ?? '';
  return command === undefined ? pointWords(scenario, point ?? '') : commandWords(scenario, command);
}
