/** Every trial, in the order in which `npm run faults` carries them out. */
import { chaos } from './chaos.ts';
import { clock } from './clock.ts';
import { clusterNode, clusterThousand } from './cluster.ts';
import { commands } from './commands.ts';
import { disk } from './disk.ts';
import { diskFills } from './disk-fills.ts';
import { flows } from './flows.ts';
import { harness } from './harness.ts';
import { kill } from './kill.ts';
import { linkages } from './linkages.ts';
import { outage } from './outage.ts';
import { powerCut } from './power-cut.ts';
import { powerCutSite } from './power-cut-site.ts';
import { slowDisk } from './slow-disk.ts';
import type { Trial } from './trial.ts';

export const trials: readonly Trial[] = [
  harness,
  powerCut,
  powerCutSite,
  kill,
  flows,
  commands,
  linkages,
  chaos,
  disk,
  diskFills,
  slowDisk,
  clock,
  outage,
  clusterNode,
  clusterThousand,
];
