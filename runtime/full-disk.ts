/** What a start does on a disk that is full. */
import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { CannotStart, EXIT } from './exit.ts';
import { dropBallast } from './storage/ballast.ts';

const MIN_FREE_BYTES = 256 << 20;
/** With less the database may not even open. */
const LEAST_FREE_BYTES = 16 << 20;

/**
 * A new installation needs room. One that is there already starts on a full disk too: L0 goes on (reliability.md B2).
 * @throws CannotStart
 */
export function refuseFullDisk(dataDir: string): void {
  const { bavail, bsize } = statfsSync(dataDir);
  const free = bavail * bsize;
  if (free >= MIN_FREE_BYTES) return;
  if (!existsSync(join(dataDir, 'gatehouse.db')))
    throw new CannotStart(EXIT.config, 'diskFull', [`${dataDir}: ${Math.round(free / 2 ** 20)} MB`]);
  if (free < LEAST_FREE_BYTES) dropBallast(join(dataDir, 'ballast'));
}
