/** How the processes of a gateway are: what the kernel tells of the core, and whether the flows run. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../runtime/contracts/api.ts';
import type { Gateway } from '../site.ts';
import { hold } from './trial.ts';

const TICKS_PER_SECOND = 100;
const FLOWS_MS = 60_000;
const FLOWS_COME_MS = 2000;

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

/** Resolves when the flow process is there and its flows run. @throws Broken after a minute */
export async function flowsRun(gateway: Gateway): Promise<void> {
  for (const end = performance.now() + FLOWS_MS; ; await sleep(200)) {
    const { flows } = await gateway.json<Status>('/status');
    if (flows.state === 'running') return;
    hold('R9', performance.now() < end, () => `the flows are ${flows.state} for a minute`);
  }
}

/** The flow process of this core. @returns undefined if it has none for two seconds */
export async function flowProcess(core: number): Promise<number | undefined> {
  for (const end = performance.now() + FLOWS_COME_MS; performance.now() < end; await sleep(50)) {
    const found = findFlowProcess(core);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findFlowProcess(core: number): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      if (command.includes('flows/child.ts') && isBelow(Number(name), core)) return Number(name);
    } catch {
      // gone meanwhile
    }
  }
  return undefined;
}

function isBelow(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1; ) {
    if (at === ancestor) return true;
    const status = existsSync(`/proc/${at}/status`) ? readFileSync(`/proc/${at}/status`, 'utf8') : '';
    at = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return false;
}
