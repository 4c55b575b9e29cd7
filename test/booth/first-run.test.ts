/** A real site on its first day: no account yet, and a platform that cannot be reached. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startGateway } from '../site.ts';
import { barriers, buildScreens, openPanel, overflow } from './panel.ts';

const SITE = `site: { id: my-site, name: 锦绣花园, timeZone: Asia/Shanghai }
zones:
  - { id: garden, name: 中心花园, kind: area }
devices: []
`;
const PASSWORD = 'Heron-9921-gate';

test('the printed code makes the first administrator, once; the chip tells how long the platform is gone', {
  timeout: 120_000,
}, async () => {
  await buildScreens();
  const folder = mkdtempSync(join(tmpdir(), 'gh-first-'));
  try {
    writeFileSync(join(folder, 'site.yaml'), SITE);
    // Port 1 on loopback: refused at once, as a platform that is down.
    await using gateway = await startGateway({
      args: ['--site', join(folder, 'site.yaml')],
      env: { GATEHOUSE_UPLINK: 'mqtt://127.0.0.1:1' },
    });
    await using panel = await openPanel(gateway.url, { width: 1280, height: 800 });
    const { page } = panel;
    await page.goto('/');
    const code = /[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}/.exec(gateway.text())?.[0] ?? '';
    const fill = (label: string, value: string) => page.getByLabel(label, { exact: true }).fill(value);
    await fill('设置码', '0000-0000-0000-0000');
    await fill('用户名', 'zhang');
    await fill('姓名', '张工');
    await fill('密码', PASSWORD);
    const send = page.getByRole('button', { name: '建立管理员' });
    await send.click();
    await page.getByText('设置码不对').waitFor();
    expect(await overflow(page)).toEqual([]);
    expect(await barriers(page)).toEqual([]);
    await fill('设置码', code);
    await send.click();
    await page.getByRole('heading', { name: '安装设置' }).waitFor();
    expect(await page.locator('.bar-person').textContent()).toContain('张工');
    const chip = page.locator('.chip-bad', { hasText: '平台 中断' });
    await chip.waitFor({ timeout: 20_000 });
    expect(await chip.textContent()).toMatch(/平台 中断 (\d\d:\d\d|\d+ min)待传 \d+/);
    await page.reload();
    await page.getByRole('heading', { name: '安装设置' }).waitFor();
    expect(await page.getByLabel('设置码').count()).toBe(0);
    expect(panel.complaints).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
