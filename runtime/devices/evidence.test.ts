import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEvidence } from './evidence.ts';

test('a picture is kept once under its hash; anything that is no hash leads nowhere', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gh-evidence-'));
  try {
    const evidence = openEvidence(directory);
    const picture = Buffer.from('ffd8ffe000104a46', 'hex');
    const [one, two] = [evidence.keep(picture), evidence.keep(picture)];
    await Promise.all([one.kept, two.kept]);
    expect(one.hash).toBe(createHash('sha256').update(picture).digest('hex'));
    expect(two.hash).toBe(one.hash);
    expect(readFileSync(evidence.pathOf(one.hash) ?? '')).toEqual(picture);
    for (const text of ['../../etc/passwd', '', one.hash.slice(1), 'A'.repeat(64)])
      expect(evidence.pathOf(text)).toBeUndefined();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a folder that cannot be written says so', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gh-evidence-'));
  try {
    writeFileSync(join(directory, 'file'), '');
    const evidence = openEvidence(join(directory, 'file'));
    await expect(evidence.keep(Buffer.from('x')).kept).rejects.toMatchObject({ code: 'journal.write' });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
