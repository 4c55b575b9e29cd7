/** The replays an installer has saved in the data directory, run against the flows that are deployed there. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import { type FixtureResult, readFixture, runFixtures } from './fixtures.ts';
import type { FlowEntry } from './isolate.ts';

export interface SavedResult {
  readonly file: string;
  /** Absent: it could not be run, and why. */
  readonly result?: FixtureResult;
  readonly reason?: string;
}

/** @throws file system errors as they come, when there is no deployed flow */
export async function runSaved(directory: string): Promise<SavedResult[]> {
  const flow = JSON.parse(readFileSync(join(directory, 'flows', 'flows.json'), 'utf8')) as FlowEntry[];
  const folder = join(directory, 'replays');
  const files = globSync('*.test/*.json', { cwd: folder }).toSorted((a, b) => a.localeCompare(b));
  const results: SavedResult[] = [];
  for (const file of files) {
    // Each by itself: one that cannot be run must not hide the others.
    try {
      const [result] = await runFixtures(flow, [readFixture(join(folder, file))], systemClock);
      results.push(result ? { file, result } : { file });
    } catch (error) {
      results.push({ file, reason: reasonOf(error) });
    }
  }
  return results;
}
