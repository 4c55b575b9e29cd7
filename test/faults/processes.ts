/** What the kernel tells about a process: how much it worked, and how long it was kept from working. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Seconds of processor time so far. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * Milliseconds that its threads stood ready to run so far while others had the processors, all together. On a machine
 * that is busy with other things this is most of a time measured.
 */
export function keptWaiting(pid: number): number {
  let nanoseconds = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[1]);
  } catch {
    return 0; // a kernel that does not keep it, or a process that has gone
  }
  return nanoseconds / 1e6;
}
