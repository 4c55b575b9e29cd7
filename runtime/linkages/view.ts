/** What people see of the linkages, and the test that goes from every trigger to every output without touching one. */
import type { Outputs } from '../commands/dispatcher.ts';
import type { Scalar } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import type { LinkageTest, LinkageView } from '../contracts/linkage-view.ts';
import { type Linkage, linkages as table } from '../contracts/linkages.ts';
import type { Words } from '../contracts/words.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { uuidv7 } from '../journal/uuid.ts';
import { kindOf } from './drive.ts';
import { type LinkageParts, type Linkages, loggingTest } from './linkages.ts';
import { missingWords, silent, unsupported } from './linkages.words.ts';
import type { Missing, Place } from './places.ts';
import { outputKey } from './run.ts';
import { createSignals } from './signals.ts';

const READ_MS = 3000;

interface ViewParts extends Pick<LinkageParts, 'clock' | 'settingsOf'> {
  readonly linkages: Linkages;
  readonly journal: Pick<Journal, 'commit'>;
  readonly outputs: Pick<Outputs, 'read'>;
  readonly linkOf: (device: string) => 'online' | 'offline' | 'unknown';
}

const warningOf = ({ what, of }: Missing): { code: string; words: Words } => ({
  code: what,
  words: what === 'unsupported' ? unsupported(of) : (missingWords[`${what} ${of}`] ?? { zh: of, en: of }),
});

export function createLinkageViews({ linkages, journal, outputs, clock, settingsOf, linkOf }: ViewParts) {
  const find = (id: string): Linkage => {
    const found = table.find((one) => one.id === id);
    if (!found)
      throw new GatehouseError(
        'linkage.not_found',
        `No linkage ${id}; there are ${table.map((one) => one.id).join(', ')}`,
      );
    return found;
  };
  const placesOf = (id: string) => linkages.places().filter(({ linkage }) => linkage.id === id);

  function placeView(place: Place): LinkageView['places'][number] {
    const episode = linkages.running(place);
    return {
      ...{ id: place.id, zone: place.zone, state: episode?.phase ?? 'ready' },
      ...(episode ? { since: episode.since } : {}),
      sources: place.sources.map(({ id }) => ({ device: id, link: linkOf(id) })),
      triggeredBy: (episode?.sources ?? []).map(({ device, alarm }) => ({ device, alarm })),
      outputs: place.outputs.map(({ device, rule }) => ({
        ...{ device: device.id, command: rule.command, link: linkOf(device.id) },
        ...(episode ? { done: episode.done.includes(outputKey(device.id, rule.command)) } : {}),
      })),
      watches: place.watches.map(({ device, rule }) => ({
        ...{ device: device.id, point: rule.point, withinMs: rule.withinMs, link: linkOf(device.id) },
      })),
      warnings: place.missing.map(warningOf),
    };
  }

  function view({ id, words, about }: Linkage): LinkageView {
    const places = placesOf(id).map(placeView);
    const { ran, tested } = linkages.logOf(id);
    const isActive = places.some(({ state }) => state !== 'ready');
    const isIncomplete = places.some(({ warnings }) => warnings.length > 0);
    const state = isActive ? 'active' : places.length === 0 ? 'absent' : isIncomplete ? 'incomplete' : 'ready';
    return {
      ...{ id, words, about, state, places },
      ...(ran ? { lastRan: ran } : {}),
      ...(tested ? { lastTested: tested } : {}),
    };
  }

  /** A reading that raises the alarm, by its contract and the device's own limit. */
  function raising(scenario: string, alarm: string, device: string): { point: string; value: Scalar } | undefined {
    const when = scenarioOf(scenario)?.alarms[alarm]?.when;
    if (!when) return undefined;
    if ('equals' in when) return { point: when.point, value: when.equals };
    const limit = Number(settingsOf(device)[alarm] ?? ('above' in when ? when.above : when.below));
    return { point: when.point, value: 'above' in when ? limit + 1 : limit - 1 };
  }

  /** Each signal by itself, in a world of its own. */
  function triggersOf(place: Place): LinkageTest['places'][number]['triggers'] {
    return place.linkage.triggers.flatMap(({ scenario, alarm, devices: count = 1 }) => {
      const sources = place.sources.filter((source) => source.scenario === scenario);
      const groups = count === 1 ? sources.map((one) => [one]) : [...Map.groupBy(sources, ({ zone }) => zone).values()];
      return groups
        .filter((group) => group.length >= count)
        .map((group) => {
          const signals = createSignals(settingsOf);
          for (const device of group) {
            const reading = raising(scenario, alarm, device.id);
            if (reading) signals.read(device, reading.point, reading.value);
          }
          return { alarm, devices: group.map(({ id }) => id), works: signals.triggering(place).length > 0 };
        });
    });
  }

  async function readNow(device: string, point: string): Promise<{ value: Scalar; at: number } | undefined> {
    const over = new AbortController();
    const cancel = clock.after(READ_MS, () => over.abort(new GatehouseError('driver.timeout', `${device}: no answer`)));
    try {
      const reading = (await outputs.read(device, [point], over.signal)).find((one) => one.point === point);
      return reading && { value: reading.value, at: clock.now() };
    } catch {
      return undefined;
    } finally {
      cancel();
    }
  }

  async function rehearse(place: Place): Promise<LinkageTest['places'][number]> {
    const asked = place.outputs.map(async ({ device, rule }) => {
      const scenario = scenarioOf(device.scenario);
      // Without a proof of its own, any point of the device shows that it answers.
      const point =
        kindOf(device.scenario, rule.command)?.proof?.point ?? Object.keys(scenario?.telemetry ?? {})[0] ?? '';
      const seen = await readNow(device.id, point);
      return {
        ...{ device: device.id, command: rule.command, input: { ...rule.input }, reachable: seen !== undefined },
        ...(seen ? { readBack: { point, ...seen } } : { problem: silent }),
      };
    });
    const watched = place.watches.map(async ({ device, rule }) => ({
      ...{ device: device.id, point: rule.point },
      reachable: (await readNow(device.id, rule.point)) !== undefined,
    }));
    return {
      id: place.id,
      triggers: triggersOf(place),
      outputs: await Promise.all(asked),
      watches: await Promise.all(watched),
      warnings: place.missing.map(warningOf),
    };
  }

  return {
    list: (): LinkageView[] => table.map(view),
    /** @throws GatehouseError `linkage.not_found` */
    get: (id: string): LinkageView => view(find(id)),
    /**
     * Resolves once its record is durable; that is an audit record, so the audit chain signs it.
     * @throws GatehouseError `linkage.not_found`, `journal.*`
     */
    async test(id: string, by: string): Promise<LinkageTest> {
      find(id);
      const places = await Promise.all(placesOf(id).map(rehearse));
      const at = clock.now();
      const record = uuidv7(at);
      const passed =
        places.length > 0 &&
        places.every(
          ({ triggers, outputs: asked, watches, warnings }) =>
            warnings.length === 0 &&
            triggers.every(({ works }) => works) &&
            [...asked, ...watches].every(({ reachable }) => reachable),
        );
      await journal.commit({
        records: [
          {
            ...{ id: record, lane: 'L0', kind: 'audit', scenario: 'gateway', device: '', name: 'linkage.tested' },
            data: { linkage: id, zone: places.map((place) => place.id).join(' '), passed, places },
            actor: by,
          },
        ],
        writes: [loggingTest(id, { at, by, passed, record })],
      });
      return { linkage: id, at, by, passed, record, places };
    },
  };
}
export type LinkageViews = ReturnType<typeof createLinkageViews>;
