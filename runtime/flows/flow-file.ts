/** What the flow file must be before Node-RED reads it: there, and readable. */
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Imported once, on a gateway that has never had a flow. */
const reference = new URL('../../flows/vehicle-gate/single-lane.json', import.meta.url);

/** @returns undefined if the text is a list of nodes, else what is wrong with it. */
function fault(text: string): string | undefined {
  try {
    const nodes: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    if (!Array.isArray(nodes)) return 'not a list of nodes';
    const bad = nodes.findIndex((node) => typeof node?.id !== 'string' || typeof node?.type !== 'string');
    return bad < 0 ? undefined : `entry ${bad} has no id or type`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const PLACEHOLDER = '[]\n'; // never what a deploy writes, so a later start still knows why nothing runs
const KEPT = /^flows\.broken-.*\.json$/;

/** So that it is there, whole, after a power cut: half a flow file would be put aside at the next start. */
function writeWhole(directory: string, text: string): void {
  const file = join(directory, 'flows.json');
  const draft = openSync(`${file}.new`, 'w', 0o600);
  try {
    writeSync(draft, text);
    fsyncSync(draft);
  } finally {
    closeSync(draft);
  }
  renameSync(`${file}.new`, file);
  const folder = openSync(directory, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * Puts the reference flow where nothing has ever been deployed, and moves a flow file that cannot be read aside (Node-RED
 * would take it for empty and write over it at the next deploy). An empty flow then takes its place: an older flow that
 * acts again unasked is worse than one that visibly does not.
 * @returns undefined if the flows can run; else why they cannot, and where the broken file is.
 */
export function prepareFlowFile(directory: string, now: Date): string | undefined {
  const file = join(directory, 'flows.json');
  if (!existsSync(file)) {
    writeWhole(directory, readFileSync(reference, 'utf8'));
    return undefined;
  }
  const text = readFileSync(file, 'utf8');
  if (text === PLACEHOLDER) {
    const kept = readdirSync(directory)
      .filter((name) => KEPT.test(name))
      .sort()
      .at(-1);
    return kept === undefined ? undefined : `kept as ${kept}, not yet replaced`;
  }
  const why = fault(text);
  if (why === undefined) return undefined;
  const kept = `flows.broken-${now.toISOString().replace(/[:.]/g, '-')}.json`;
  renameSync(file, join(directory, kept));
  writeWhole(directory, PLACEHOLDER);
  return `${why}; kept as ${kept}`;
}
