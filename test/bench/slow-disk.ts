/** How late the main thread comes to what is due while every flush of the disk takes 200 ms, against a disk that is sound. */
import { setTimeout as pause } from 'node:timers/promises';
import { faultyDisk } from '../faults/shim.ts';
import { startBenchGateway } from './bench-site.ts';
import { coreFigures, delayBetween } from './core-figures.ts';
import { openLanes } from './lanes.ts';
import { startLoad } from './load.ts';
import { type Benchmark, compare } from './measure.ts';
import { openFolder } from './scratch.ts';

const FLUSH_MS = 200;
const DETECTORS = 100;
const LANES = 4;
const PER_SECOND = 500;
const SETTLE_MS = 3000;
const MEASURE_MS = 10_000;

export const slowDisk: Benchmark = {
  name: 'slow-disk',
  about: `lateness of the main thread (p99) at ${PER_SECOND} telemetry messages a second with ${FLUSH_MS} ms per flush, against the same disk without`,
  async run(rounds) {
    using data = openFolder();
    using disk = faultyDisk(data.path);
    await using lanes = await openLanes(LANES);
    await using site = await startBenchGateway({
      lanes: lanes.list,
      detectors: DETECTORS,
      vehicles: 1,
      data: data.path,
      env: disk.environment,
    });
    const load = await startLoad({ ...site.detectors, pace: { perSecond: PER_SECOND } });
    const measure = async (flushMs: number) => {
      disk.set(flushMs > 0 ? { flushMs } : {});
      await pause(SETTLE_MS);
      const before = await coreFigures(site.gateway);
      await pause(MEASURE_MS);
      return delayBetween(before, await coreFigures(site.gateway), 0.99);
    };
    const pairs: [number, number][] = [];
    for (let round = 0; round < rounds; round++) pairs.push([await measure(FLUSH_MS), await measure(0)]);
    await load.stop();
    return [compare('main thread late, p99, slow disk', 'ms', 'the same without the delay', pairs)];
  },
};
