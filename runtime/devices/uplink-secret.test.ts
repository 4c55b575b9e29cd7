import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSecret } from './uplink-secret.ts';

test('a secret comes from the environment or a file; what is missing is named, its value never', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gh-secret-'));
  try {
    const file = join(directory, 'password');
    writeFileSync(file, ' s3cret \n');
    expect(readSecret('gatehouse')).toBe('gatehouse');
    expect(readSecret({ env: 'UPLINK' }, { UPLINK: 's3cret' })).toBe('s3cret');
    expect(readSecret({ file })).toBe(' s3cret ');
    const missing = expect.objectContaining({ code: 'config.invalid', message: expect.stringContaining('UPLINK') });
    expect(() => readSecret({ env: 'UPLINK' }, {})).toThrow(missing);
    expect(() => readSecret({ env: 'UPLINK' }, { UPLINK: '' })).toThrow(missing);
    expect(() => readSecret({ file: join(directory, 'none') })).toThrow(
      expect.objectContaining({ code: 'config.invalid' }),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
