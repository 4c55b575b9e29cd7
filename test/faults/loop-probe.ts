/**
 * Preloaded into a gateway: how late its main thread comes to its timers. At SIGUSR2 it writes what it has measured since
 * the last time to the file named by GATEHOUSE_FAULTS_PROBE.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
}

const target = process.env.GATEHOUSE_FAULTS_PROBE;
if (isMainThread && target !== undefined) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  process.on('SIGUSR2', () => {
    const ms = (percentile: number) => histogram.percentile(percentile) / 1e6;
    const delay: LoopDelay = { p50: ms(50), p99: ms(99), max: histogram.max / 1e6, samples: histogram.count };
    writeFileSync(`${target}.new`, JSON.stringify(delay));
    renameSync(`${target}.new`, target);
    histogram.reset();
  });
}
