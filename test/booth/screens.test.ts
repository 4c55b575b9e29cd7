/** Every screen at every size, by day and night, in both languages: nothing runs out, every target is big enough, axe is clean. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../site.ts';
import { barriers, buildScreens, dress, logIn, openPanel, overflow, type Panel, smallTargets } from './panel.ts';

const DIST = join(import.meta.dirname, '../../runtime/booth/dist');
const sizes = {
  '1920x1080': { width: 1920, height: 1080 },
  '1280x800': { width: 1280, height: 800 },
  '360x800': { width: 360, height: 800 },
};
const looks = [
  { theme: 'day', language: 'zh-CN' },
  { theme: 'night', language: 'zh-CN' },
  { theme: 'day', language: 'en-US' },
  { theme: 'night', language: 'en-US' },
] as const;

let gateway: Gateway;
let panel: Panel;

beforeAll(async () => {
  await buildScreens();
  gateway = await startGateway();
  panel = await openPanel(gateway.url, sizes['1280x800']);
  await logIn(panel.page, '演示队长', gateway.pin);
  // Something of everything on the screens: alarms of three priorities, a passage, a vehicle that waits.
  for (const play of ['noise', 'smoke', 'intrusion', 'forced-arm'])
    await gateway.api(`/demo/${play}`, { method: 'POST', as: 'demo-guard' });
  await gateway.record((record) => record.kind === 'alarm' && record.name === 'intrusion');
}, 120_000);

afterAll(async () => {
  await panel?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

/** The screens of one page load, in order: each begins where the one before it ended. */
const screens: Record<string, (page: Page) => Promise<void>> = {
  incident: async (page) => {
    await page.goto('/');
    await page.locator('.incident .timeline li').first().waitFor();
  },
  live: async (page) => {
    while ((await page.locator('.incident').count()) > 0) await page.locator('.incident-head .tap').click();
    await page.locator('.alarm').first().waitFor();
  },
  system: async (page) => {
    // A phone has no room for the chips behind which it lies.
    if (!(await page.locator('.chip').first().isVisible())) return;
    await page.locator('.chip').first().click();
    await page.getByRole('dialog').waitFor();
  },
  gates: async (page) => {
    await page.keyboard.press('Escape');
    await page.locator('.rail-item').nth(1).click();
    await page.locator('.lane').first().waitFor();
  },
  hold: async (page) => {
    await page.locator('.lane-buttons .tap').nth(1).click();
    await page.getByRole('dialog').waitFor();
  },
  devices: async (page) => {
    await page.keyboard.press('Escape');
    await page.locator('.rail-item').nth(2).click();
    await page.locator('.device-card').first().waitFor();
  },
  confirm: async (page) => {
    await page.locator('.devices-head .filter').nth(1).click();
    await page.locator('.device-commands .tap').first().click();
    await page.getByRole('dialog').waitFor();
  },
  linkages: async (page) => {
    await page.keyboard.press('Escape');
    await page.locator('.devices-head .filter').last().click();
    await page.locator('.linkage summary').first().click();
  },
  statistics: async (page) => {
    await page.locator('.rail-item').first().click();
    await page.locator('.alarms-head .tap-icon').click();
    await page.locator('.stats table').first().waitFor();
  },
  search: async (page) => {
    await page.keyboard.press('Escape');
    await page.locator('.rail-item').nth(3).click();
    await page.locator('.search .filters').first().getByRole('button').nth(1).click();
    await page.locator('.rows .tap-icon').first().click();
    await page.locator('.detail .tap-main').click();
    await page.locator('.chain li').first().waitFor();
  },
  'plate pad': async (page) => {
    await page.locator('.detail-head .tap').click();
    await page.locator('.filter-plate').click();
    await page.getByRole('dialog').waitFor();
  },
  settings: async (page) => {
    await page.keyboard.press('Escape');
    await page.locator('.rail-item').nth(4).click();
    await page.locator('.group').first().waitFor();
  },
  locked: async (page) => {
    await page.locator('.bar-actions .tap').nth(-2).click();
    await page.locator('.bar-actions .tap').last().click();
    await page.locator('.pin-keys').waitFor();
  },
  login: async (page) => {
    await page.goto('/login?next=/editor');
    await page.locator('.tile').first().click();
    await page.locator('.pin-keys').waitFor();
  },
  emergency: async (page) => {
    await page.locator('.emergency').click();
    await page.getByRole('dialog').waitFor();
  },
};

/** Boxes and lists made of parts that other screens show in every look: these are looked at in one of each pair. */
const once = new Set(['devices', 'confirm', 'linkages', 'statistics', 'emergency']);

for (const [size, viewport] of Object.entries(sizes)) {
  for (const look of looks) {
    describe(`${size} ${look.theme} ${look.language}`, () => {
      beforeAll(async () => {
        await panel.page.setViewportSize(viewport);
        await dress(panel.page, look);
      });
      // Contrast depends on the theme, names on the language: two looks cover every theme and language.
      const full = (look.theme === 'day') === (look.language === 'zh-CN');
      for (const [name, show] of Object.entries(screens)) {
        if (!full && once.has(name)) continue;
        test(name, async () => {
          const { page } = panel;
          await show(page);
          await page.evaluate('document.fonts.ready');
          expect(await page.evaluate('document.documentElement.dataset.theme')).toBe(look.theme);
          expect(await page.evaluate('document.documentElement.lang')).toBe(look.language);
          const found = {
            overflow: await overflow(page),
            small: await smallTargets(page, size === '360x800'),
            axe: full ? await barriers(page) : [],
          };
          expect(found).toEqual({ overflow: [], small: [], axe: [] });
        });
      }
    });
  }
}

test('nothing was asked of the outside, nothing broke the content policy, nothing failed', () => {
  expect(panel.complaints).toEqual([]);
});

test('the Chinese font comes from the gateway', async () => {
  await panel.page.goto('/settings');
  await panel.page.evaluate('document.fonts.ready');
  const loaded = await panel.page.evaluate<boolean>(
    "[...document.fonts].some((face) => face.family.includes('Noto Sans SC') && face.status === 'loaded')",
  );
  expect(loaded).toBe(true);
});

test('the first load needs at most 250 kB of script', () => {
  const assets = readdirSync(join(DIST, 'assets')).filter((file) => file.endsWith('.js'));
  const bytes = assets.reduce((sum, file) => sum + gzipSync(readFileSync(join(DIST, 'assets', file))).length, 0);
  expect(assets.length).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(250_000);
});
