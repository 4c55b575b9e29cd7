import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { launch } from '../../test/launch.ts';

const script = fileURLToPath(new URL('./health.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-health-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check() {
  await using run = launch(process.execPath, [script], { env: { ...process.env, GATEHOUSE_DATA: folder } });
  return { code: await run.ended, text: run.text() };
}

test('asks the gateway on its own socket', async () => {
  expect(await check()).toMatchObject({ code: 1, text: expect.stringMatching(/gatehouse\.sock: .*ENOENT/) });
  let status = 200;
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'gatehouse.sock'), resolve));
  try {
    expect(await check()).toEqual({ code: 0, text: '' });
    status = 503;
    expect(await check()).toMatchObject({ code: 1, text: expect.stringContaining('HTTP 503') });
    expect(asked).toEqual(['/livez', '/livez']);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
