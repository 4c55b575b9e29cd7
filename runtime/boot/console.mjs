// @ts-check
// A person watching a first start must see within seconds that something is happening, and what.

/** @typedef {import('./words.mjs').Words} Words */
/** @typedef {(note: Words) => void} Note Replaces what the next heartbeat line says beside the time. */

const HEARTBEAT_MS = 4_000;

/** A sentence that ends the run: printed as it is, without a stack. */
export class Stop extends Error {
  /** @param {Words} text */
  constructor(text) {
    super(text.en);
    this.text = text;
  }
}

// A closed pipe or terminal (`npm start | head`, a lost ssh line) is no reason to take the gateway down.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', () => undefined);
}

/** @param {Words} text */
export function say(text) {
  process.stdout.write(`gatehouse: ${text.zh}\ngatehouse: ${text.en}\n`);
}

/** @param {Words} text */
export function complain(text) {
  process.stderr.write(`\n✗ ${text.zh}\n\n✗ ${text.en}\n\n`);
}

/**
 * Runs one visible step: a line when it begins, one every few seconds while it works, one when it is done.
 * @template T
 * @param {Words} text
 * @param {(note: Note) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(text, work) {
  const started = performance.now();
  const elapsed = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  /** @type {Words | undefined} */
  let note;
  process.stdout.write(`▸ ${text.zh} / ${text.en}\n`);
  const heartbeat = setInterval(() => {
    process.stdout.write(`  … ${elapsed()}${note ? `  ${note.zh} / ${note.en}` : ''}\n`);
  }, HEARTBEAT_MS);
  try {
    const result = await work((next) => {
      note = next;
    });
    process.stdout.write(`  ✓ ${elapsed()}\n`);
    return result;
  } finally {
    clearInterval(heartbeat);
  }
}
