/** How far each schedule has come, kept in the flow process's folder: what a restart needs to know what it has missed. */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject } from '../shapes.ts';

export interface Reached {
  /** Everything up to here is dealt with, ms UTC. */
  readonly through: number;
  /** The times it was set to; other ones begin anew. */
  readonly plan: string;
}

export interface ScheduleMemory {
  get(node: string): Reached | undefined;
  /** Durable once it resolves; a file that cannot be written is told, and costs a repetition of "missed" at most. */
  set(node: string, reached: Reached): Promise<void>;
}

function read(file: string): Map<string, Reached> {
  try {
    const entries = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>);
    return new Map(
      entries.flatMap(([node, value]) =>
        isObject(value) && typeof value.through === 'number' && typeof value.plan === 'string'
          ? [[node, { through: value.through, plan: value.plan }]]
          : [],
      ),
    );
  } catch {
    return new Map(); // first start, or cut off by a power failure: begin with what comes next
  }
}

/** Nodes that are gone must not pile up. */
const MOST = 500;

export function openScheduleMemory(directory: string, warn: (text: string) => void): ScheduleMemory {
  const file = join(directory, 'schedules.json');
  const known = read(file);
  let writing: Promise<void> = Promise.resolve();
  return {
    get: (node) => known.get(node),
    set(node, reached) {
      known.delete(node);
      known.set(node, reached);
      const [oldest] = known.keys();
      if (known.size > MOST && oldest !== undefined) known.delete(oldest);
      writing = writing.then(async () => {
        try {
          await writeFile(`${file}.new`, `${JSON.stringify(Object.fromEntries(known))}\n`);
          await rename(`${file}.new`, file);
        } catch (error) {
          warn(`schedules.json: ${error instanceof Error ? error.message : String(error)}`);
        }
      });
      return writing;
    },
  };
}
