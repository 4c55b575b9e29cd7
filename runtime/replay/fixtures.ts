/** Saved replays as regression tests of a flow: played again, and what the flow would do compared with what it did. */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { Compile } from 'typebox/compile';
import type { Clock } from '../clock.ts';
import { type Act, type ReplayFixture, replayFixture } from '../contracts/replay.ts';
import { GatehouseError } from '../errors.ts';
import type { World } from './dry-gateway.ts';
import { type FlowEntry, findTab, isolate } from './isolate.ts';
import { openStage } from './run.ts';

const checked = Compile(replayFixture);
const SETTLE_MS = 700;

/** @throws GatehouseError `replay.failed` naming what is wrong with the file */
export function readFixture(file: string): ReplayFixture {
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (checked.Check(value)) return value;
  const faults = checked.Errors(value).map(({ instancePath, message }) => `${instancePath} ${message}`);
  throw new GatehouseError('replay.failed', `${file}: ${faults.slice(0, 5).join('; ')}`);
}

function worldOf({ devices, zones, decisions }: ReplayFixture): World {
  const below = (zone: string): Set<string> => {
    const found = new Set([zone]);
    for (let size = 0; size !== found.size; ) {
      size = found.size;
      for (const { id, parent } of zones) if (parent !== undefined && found.has(parent)) found.add(id);
    }
    return found;
  };
  return {
    site: { id: 'replay', name: 'replay', timeZone: 'Asia/Shanghai' },
    devices({ scenario, zone, q }) {
      const inZone = zone === undefined ? undefined : below(zone);
      return devices.filter(
        (one) =>
          (scenario === undefined || one.scenario === scenario) &&
          (!inZone || inZone.has(one.zone)) &&
          (q === undefined || one.id.includes(q) || one.name.includes(q)),
      );
    },
    device: (id) => devices.find((one) => one.id === id),
    zones: () => zones,
    calendar: () => ({ timeZone: 'Asia/Shanghai', years: [] }),
    decide({ cause = '', gate }) {
      const found = decisions[cause];
      if (!found) throw new GatehouseError('access.gate_unknown', `No decision for ${cause} at ${gate} is saved`);
      return found;
    },
    outcome: () => undefined,
  };
}

const plain = ({ record, kind, device, action, input }: Act) => ({ record, kind, device, action, input });
/** Times are counted from the moment of the replay. */
function timeless(act: ReturnType<typeof plain>) {
  if (typeof act.input !== 'object' || act.input === null) return act;
  const { until: _until, due: _due, ...input } = act.input as Readonly<Record<string, unknown>>;
  return { ...act, input };
}

export interface FixtureResult {
  readonly title: string;
  readonly expected: readonly object[];
  readonly would: readonly object[];
  readonly same: boolean;
}

/**
 * Plays fixtures of several tabs in one flow process, one after the other: who acts says which tab it was.
 * @param flow all nodes of the flow file
 * @throws GatehouseError `replay.tab`, `replay.failed`
 */
export async function runFixtures(
  flow: readonly FlowEntry[],
  fixtures: readonly ReplayFixture[],
  clock: Clock,
): Promise<FixtureResult[]> {
  const tabs = fixtures.map(({ tab }) => {
    const found = findTab(flow, tab);
    if (!found) throw new GatehouseError('replay.tab', `No flow tab ${tab}`);
    return isolate(flow, found);
  });
  const nodes = new Map(tabs.flatMap((one) => one.nodes.map((node) => [node.id, node])));
  let current: { readonly world: World; readonly actors: ReadonlySet<string>; readonly acts: Act[] } | undefined;
  const now = (): World => {
    if (!current) throw new GatehouseError('replay.failed', 'Asked before anything was played');
    return current.world;
  };
  const world: World = {
    site: { id: 'replay', name: 'replay', timeZone: 'Asia/Shanghai' },
    devices: (query) => now().devices(query),
    device: (id) => now().device(id),
    zones: () => now().zones(),
    calendar: () => ({ timeZone: 'Asia/Shanghai', years: [] }),
    decide: (question) => now().decide(question),
    outcome: () => undefined,
  };
  const onAct = (act: Act, flowId: string) => {
    if (current?.actors.has(flowId)) current.acts.push(act);
  };
  await using stage = await openStage({ nodes: [...nodes.values()], world, clock, onAct });
  const results: FixtureResult[] = [];
  for (const [index, fixture] of fixtures.entries()) {
    const acts: Act[] = [];
    current = { world: worldOf(fixture), actors: tabs[index]?.actors ?? new Set(), acts };
    const signal = new AbortController().signal;
    await stage.play(fixture.records, { speed: 'fast', settleMs: SETTLE_MS, signal });
    const order = new Map(fixture.records.map(({ id }, place) => [id, place]));
    const sorted = acts.toSorted((a, b) => (order.get(a.record) ?? -1) - (order.get(b.record) ?? -1)).map(plain);
    const [would, expected] = [sorted.map(timeless), fixture.expected.map(timeless)];
    results.push({ title: fixture.title, expected, would, same: isDeepStrictEqual(would, expected) });
  }
  return results;
}
