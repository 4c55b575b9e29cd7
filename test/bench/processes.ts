/** The gateway's processes as the kernel sees them. */
import { readFileSync } from 'node:fs';
import { resident } from './measure.ts';

export const residentMib = (pid: number): number => resident(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** The flow process among the children of the core; the compound is another one. */
export function flowsPid(core: number): number {
  const children = readFileSync(`/proc/${core}/task/${core}/children`, 'utf8').trim().split(' ').map(Number);
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('runtime/flows/child.ts'));
  if (found === undefined) throw new Error('no flow process');
  return found;
}
