/** A booth panel for tests: a real Chromium in front of a real gateway, with a cable in between that can be pulled. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import { buildBooth } from '../../runtime/boot/booth.mjs';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Panel extends AsyncDisposable {
  readonly page: Page;
  /** Errors the page or its console told of, and requests that left the gateway. */
  readonly complaints: readonly string[];
}

/** Builds the screens if they do not match their sources; a moment when they do. */
export const buildScreens = (): Promise<void> => buildBooth({ node: process.execPath, env: process.env });

/** @param base Address of the gateway as this panel reaches it. */
export async function openPanel(base: string, size: { width: number; height: number }): Promise<Panel> {
  const profile = mkdtempSync(join(tmpdir(), 'gh-panel-'));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    locale: 'zh-CN',
    viewport: size,
    baseURL: base,
    args: ARGS,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // Chromium tells of every refused request here; what is refused is what the tests look at elsewhere.
    const expected = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !expected) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(base)) complaints.push(`outside request: ${request.url()}`);
  });
  return {
    page,
    complaints,
    async [Symbol.asyncDispose]() {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Tile and PIN, as a guard does it. */
export async function logIn(page: Page, person: string, pin: string): Promise<void> {
  await page.goto('/login');
  await page.getByRole('button', { name: person }).click();
  await typePin(page, pin);
  await page.locator('.shell[data-line="live"]').waitFor();
}

export async function typePin(page: Page, pin: string): Promise<void> {
  for (const digit of pin) await page.locator('.pin-keys').getByText(digit, { exact: true }).click();
}

/** What the panel remembers between loads: set before the next page load. */
export async function dress(page: Page, look: { theme: 'day' | 'night'; language: 'zh-CN' | 'en-US' }): Promise<void> {
  await page.evaluate(
    `localStorage.removeItem('gatehouse.locked');
     localStorage.setItem('gatehouse.language', '${look.language}');
     localStorage.setItem('gatehouse.theme', '${look.theme} ${Date.now() + 1_800_000}')`,
  );
}

/** Pixels by which anything runs out of the page or of its own box to the side. */
export const overflow = (page: Page): Promise<string[]> =>
  page.evaluate(`(() => {
    const wide = [document.documentElement, ...document.querySelectorAll('body *')].filter((element) => {
      const style = getComputedStyle(element);
      if (style.overflowX === 'auto' || style.overflowX === 'scroll' || style.textOverflow === 'ellipsis') return false;
      if (element.closest('.hidden') || style.display === 'inline' || style.display === 'contents') return false;
      return element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
    });
    return wide.map((element) => element.tagName + '.' + element.className + ' ' + (element.scrollWidth - element.clientWidth));
  })()`);

/** Targets smaller than they must be: 56 px, main 72 px, critical 96 x 160 px on a panel (ux.md 2). */
export const smallTargets = (page: Page, phone: boolean): Promise<string[]> =>
  page.evaluate(`(() => {
    const least = ${phone} ? { any: 48, main: 56, critical: 72 } : { any: 56, main: 72, critical: 96 };
    return [...document.querySelectorAll('button, a[href], input')].flatMap((element) => {
      const box = element.getBoundingClientRect();
      if (box.width === 0 || element.closest('[inert]')) return [];
      const list = element.classList;
      const bar = element.closest('.strip') !== null && innerWidth < 1600;
      const critical = list.contains('tap-critical') && !bar;
      const height = critical ? least.critical : list.contains('tap-main') || bar ? least.main : least.any;
      const width = critical || (bar && list.contains('open')) ? (${phone} ? 72 : 160) : least.any;
      if (box.height >= height - 0.5 && box.width >= width - 0.5) return [];
      return [(element.getAttribute('aria-label') ?? element.textContent) + ' ' + Math.round(box.width) + 'x' + Math.round(box.height)];
    });
  })()`);

/** What axe finds against WCAG 2.2 AA, one line each. */
export async function barriers(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')}`));
}

/** Times an element is tapped until something is there: taps are what ux.md 4 counts. */
export async function taps(...steps: Locator[]): Promise<number> {
  for (const step of steps) await step.click();
  return steps.length;
}

/** True if no point of the one lies on the other: a box that confirms a tap is not under the same finger. */
export async function apart(one: Locator, other: Locator): Promise<boolean> {
  const [a, b] = await Promise.all([one.boundingBox(), other.boundingBox()]);
  if (!a || !b) throw new Error('not on the screen');
  return a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
}

export interface Cable extends AsyncDisposable {
  readonly url: string;
  /** Nothing goes through any more, and nobody is told: as if it were pulled. */
  pull(): void;
  plug(): void;
}

/** A TCP line to the gateway that the test can interrupt. */
export async function layCable(gateway: string): Promise<Cable> {
  const { hostname, port } = new URL(gateway);
  const ends = new Set<Socket>();
  let pulled = false;
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: hostname, port: Number(port), noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(from);
      from.on('data', (bytes) => to.write(bytes));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        ends.delete(from);
        to.destroy();
      });
      if (pulled) from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    pull() {
      pulled = true;
      for (const end of ends) end.pause();
    },
    plug() {
      pulled = false;
      for (const end of ends) end.resume();
    },
    async [Symbol.asyncDispose]() {
      for (const end of ends) end.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
