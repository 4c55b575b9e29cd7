/** The flow editor in a real browser, through the whole gateway: log-in, maintenance mode, our palette, a deploy. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FlowVersion } from '../runtime/contracts/api.ts';
import type { Category } from '../runtime/contracts/contract.ts';
import type { JournalRecord } from '../runtime/contracts/record.ts';
import { localeOf } from '../runtime/derive/editor-words.ts';
import { nodeTypes } from '../runtime/derive/node-types.ts';
import { type Gateway, startGateway } from './site.ts';

/** Where the pictures go for people to look at; empty: nowhere. */
const shots = process.env.GATEHOUSE_SHOTS;
let gateway: Gateway;
let context: BrowserContext;
let page: Page;
const profile = mkdtempSync(join(tmpdir(), 'gh-editor-'));
const faults: string[] = [];
const DEVICES = 5000;

beforeAll(async () => {
  // The demo compound, and five thousand detectors more.
  const demo = readFileSync(new URL('../runtime/demo/demo-site.yaml', import.meta.url), 'utf8');
  const detectors = Array.from({ length: DEVICES }, (_none, index) => {
    const id = String(index).padStart(4, '0');
    return `  - { id: smoke-x-${id}, name: 烟感 ${id}, zone: ${index % 2 === 0 ? 'b3-1' : 'garden'}, profile: gatehouse/smoke-mqtt }\n`;
  });
  const site = join(profile, 'site.yaml');
  writeFileSync(site, demo.replace(/^people:/m, `${detectors.join('')}\npeople:`));
  gateway = await startGateway({ args: ['--site', site] });
  context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    locale: 'zh-CN',
    viewport: { width: 1440, height: 900 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  page = context.pages()[0] ?? (await context.newPage());
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
});
afterAll(async () => {
  await context.close();
  await gateway[Symbol.asyncDispose]();
  rmSync(profile, { recursive: true });
});

async function shot(name: string): Promise<void> {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

/** Logs the browser in, as the booth's own page does. */
async function login(name: string): Promise<void> {
  await page.goto(gateway.url);
  const status = await page.evaluate(
    async ([user, password]) => {
      const response = await fetch('/api/v1/sessions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-gatehouse': '1' },
        body: JSON.stringify({ name: user, password }),
      });
      return response.status;
    },
    [name, gateway.password],
  );
  expect(status).toBe(201);
}

const chinese = localeOf('zh-CN');
/** As the settings order them (ux.md 11.3). */
const PALETTE_CATEGORIES: readonly Category[] = [
  ...(['gh-access', 'gh-elevator', 'gh-video', 'gh-safety', 'gh-energy', 'gh-env', 'gh-notice'] as const),
  ...(['gh-core', 'gh-link'] as const),
];

/** Code for the page is text: the browser's names are not those of this program. */
const inPage = <T>(code: string): Promise<T> => page.evaluate<T>(code);
const open = (id: string) => inPage(`RED.editor.edit(RED.nodes.node(${JSON.stringify(id)}))`);
const smokeStatus = () => inPage<string>(`RED.nodes.filterNodes({ type: 'gh-smoke-alarm' })[0]?.status?.text ?? ''`);

test('nobody but an installer in maintenance mode reaches it', async () => {
  const anonymous = await fetch(`${gateway.url}/editor/settings`, { redirect: 'manual' });
  expect(anonymous.status).toBe(401);
  const forged = await fetch(`${gateway.url}/editor/settings`, { headers: { 'x-gatehouse-editor': 'e30.AAAA' } });
  expect(forged.status).toBe(401);
  await login('demo-guard');
  expect((await context.request.get(`${gateway.url}/editor/settings`)).status()).toBe(403);
  await login('demo-installer');
  const closed = await context.request.get(`${gateway.url}/editor/settings`);
  expect([closed.status(), (await closed.json()).code]).toEqual([403, 'flows.editor_closed']);
  await page.goto(`${gateway.url}/editor/`);
  expect(new URL(page.url()).pathname).toBe('/');
});

test('the palette shows our nodes in Chinese, in their categories', async () => {
  const started = await context.request.post(`${gateway.url}/api/v1/maintenance`, {
    headers: { 'x-gatehouse': '1' },
    data: { minutes: 10, reason: '测试' },
  });
  expect(started.status()).toBe(200);
  await page.goto(`${gateway.url}/editor/`);
  await page.waitForSelector('.red-ui-palette-node[data-palette-type="gh-vehicle-gate"]', { timeout: 30_000 });
  expect(await page.title()).toContain('联动编排');
  const palette = await inPage<string[][]>(`[...document.querySelectorAll('.red-ui-palette-category')]
    .filter((category) => category.querySelector('.red-ui-palette-node'))
    .map((category) => [
      category.querySelector('.red-ui-palette-header').textContent.trim(),
      ...[...category.querySelectorAll('.red-ui-palette-node')].map((node) => node.textContent.trim()),
    ])`);
  const ours = palette.filter(([category = '']) => Object.values(chinese.texts.category).includes(category));
  expect(palette.slice(0, ours.length)).toEqual(ours); // before everybody else's
  expect(ours).toEqual(
    PALETTE_CATEGORIES.map((category) => [
      chinese.texts.category[category],
      ...nodeTypes.filter((node) => node.category === category).map(({ title }) => title(chinese)),
    ]).filter(({ length }) => length > 1),
  );
  const ports = await inPage<
    [string, string][]
  >(`${JSON.stringify(nodeTypes.map(({ type }) => type))}.flatMap((type) => {
    const node = RED.nodes.getType(type);
    const asked = (labels, index) => String(typeof labels === 'function' ? labels.call({ _: node._ }, index) : labels);
    return [
      ...Array.from({ length: node.inputs }, (_none, index) => [type, asked(node.inputLabels, index)]),
      ...Array.from({ length: node.outputs }, (_none, index) => [type, asked(node.outputLabels, index)]),
    ];
  })`);
  expect(ports.length).toBeGreaterThan(nodeTypes.length);
  expect(ports.filter(([, label]) => !/\p{Script=Han}/u.test(label))).toEqual([]);
  await page.locator('.red-ui-flow-node-group').first().waitFor();
  await shot('editor-flow');
});

test('the reference flow is there; its form and help are in Chinese', async () => {
  const tabs = await page.locator('#red-ui-workspace-tabs .red-ui-tab-label').allInnerTexts();
  expect(tabs).toContain('单车道闸机');
  await open('gh-sl-reads');
  await page.locator('#node-input-records-list input').first().waitFor();
  const labels = await page.locator('#dialog-form > .form-row > label').allInnerTexts();
  expect(labels.map((text) => text.trim())).toEqual([
    '名称',
    '范围',
    '设备',
    '区域',
    '输出记录',
    '默认指令',
    '最长时效（秒）',
  ]);
  const kinds = await page.locator('#node-input-records-list .gh-kind').allInnerTexts();
  expect(kinds).toEqual(['事件', '测量值', '报警', '指令过程', '设备上线、离线']);
  await inPage(`RED.sidebar.help.show('gh-vehicle-gate')`);
  await page.locator('.red-ui-help h3', { hasText: '接线要点' }).waitFor();
  const sections = await page.locator('.red-ui-help h3').allInnerTexts();
  expect(sections.slice(-8)).toEqual(['输入', '输出', '配置', '状态', '错误码', '接线要点', '示例', '标准条款']);
  await shot('editor-form');
});

test('among five thousand a device is found by its name, its live value beside it; typing an id is enough', async () => {
  await page.locator('#node-input-pick').selectOption('device');
  await page.locator('#node-input-device').pressSequentially('东门进');
  const hit = page.locator('.gh-hit', { hasText: 'gate-east-in' });
  await hit.waitFor();
  expect(await hit.textContent()).toMatch(/^东门进道闸gate-east-in · 道闸闸杆位置 closed$/);
  await shot('editor-picker');
  await hit.click();
  expect(await page.locator('#node-input-device').inputValue()).toBe('gate-east-in');
  // Any id may be typed, known or not.
  await page.locator('#node-input-device').fill('gate-of-tomorrow');
  expect(await page.locator('#node-input-device').inputValue()).toBe('gate-of-tomorrow');
  await page.locator('#node-dialog-cancel').click();
  // What the picker asks while somebody types, out of all of them and out of one area.
  const found = await inPage<{ ids: string[]; inArea: string[] }>(`(async () => {
    const ask = async (query) => (await (await fetch('gh/devices?' + new URLSearchParams(query))).json()).map(({ id }) => id);
    return { ids: await ask({ scenario: 'smoke-alarm', q: '烟感 4321' }), inArea: await ask({ q: '烟感', zone: 'garden' }) };
  })()`);
  expect(found.ids).toEqual(['smoke-x-4321']);
  expect(found.inArea).toHaveLength(20);
  expect(found.inArea.every((id) => Number(id.slice(-1)) % 2 === 1)).toBe(true);
});

test('a node that is placed and deployed runs at once, on the audit trail, and moves nothing by itself', async () => {
  const commands = async () => (await gateway.records('&kind=command')).length;
  const before = await commands();
  const target = await page.locator('#red-ui-workspace-chart').boundingBox();
  const smoke = page.locator('.red-ui-palette-node[data-palette-type="gh-smoke-alarm"]');
  await smoke.dragTo(page.locator('#red-ui-workspace-chart'), {
    targetPosition: { x: 300, y: Math.min(560, (target?.height ?? 700) - 60) },
  });
  await page.waitForFunction(`RED.nodes.filterNodes({ type: 'gh-smoke-alarm' }).length === 1`);
  const deployed = page.waitForResponse(
    (response) => response.url().endsWith('/editor/flows') && response.request().method() === 'POST',
  );
  await page.locator('#red-ui-header-button-deploy').click();
  expect((await deployed).status()).toBe(200);
  await expect.poll(smokeStatus).toMatch(/^在线/);
  await shot('editor-deployed');
  const audit = await gateway.json<{ items: JournalRecord[] }>('/records?kind=audit&name=flows.deployed', {
    as: 'demo-auditor',
  });
  expect(audit.items.at(-1)).toMatchObject({ actor: 'user:demo-installer', device: 'flows' });
  expect(await commands()).toBe(before);
});

test('past records are played into the flow: what it would do stands beside what happened, and nothing moves', {
  timeout: 60_000,
}, async () => {
  const arrival = await gateway.api('/demo/arrival', {
    ...{ method: 'POST', as: 'demo-installer', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ plate: '粤B12345' }),
  });
  expect(arrival.ok).toBe(true);
  const opened = await gateway.record(
    ({ kind, data, actor }) =>
      kind === 'command' && actor === 'flow:gh-single-lane' && (data as { state?: string }).state === 'succeeded',
  );
  const commands = async () => (await gateway.records('&kind=command')).length;
  const before = await commands();
  await inPage(`RED.sidebar.show('gh-replay')`);
  await page.locator('.gh-replay-flow').selectOption({ label: '单车道闸机' });
  await page.locator('.gh-replay-name').fill('plate.read');
  await page.locator('.gh-replay-start').click();
  await page.locator('.gh-replay-state', { hasText: '完成' }).waitFor({ timeout: 40_000 });
  expect(await page.locator('.gh-replay-state').textContent()).toMatch(/^完成 1 \/ 1 条记录/);
  const rows = page.locator('.gh-replay-act');
  expect(await rows.count()).toBe(1);
  expect(await rows.first().getAttribute('data-verdict')).toBe('same');
  expect((await rows.first().locator('td').allInnerTexts()).map((text) => text.trim())).toEqual([
    '相同',
    `开闸: ${opened.device} open`,
    `${opened.device} open → succeeded`,
  ]);
  await shot('editor-replay');
  await page.locator('.gh-replay-save').click();
  await page.locator('.gh-replay-told', { hasText: '已保存' }).waitFor();
  expect(await commands()).toBe(before);
});

test('the deploy history: a note at the deploy, who and what in the side bar, and back with one click', async () => {
  const version = (id: number) => page.locator(`.gh-version[data-version="${id}"]`);
  await inPage(`RED.sidebar.show('gh-history')`);
  await version(1).waitFor();
  expect(await version(1).textContent()).toContain('system:flows');
  await page.locator('#gh-deploy-note').fill('试验烟感');
  await inPage(`RED.nodes.filterNodes({ type: 'gh-smoke-alarm' })[0].name = '三楼'; RED.nodes.dirty(true)`);
  const deployed = page.waitForResponse((response) => response.url().endsWith('/editor/flows'));
  await page.locator('#red-ui-header-button-deploy').click();
  expect((await deployed).status()).toBe(200);
  await version(3).waitFor();
  expect(await version(3).textContent()).toContain('user:demo-installer: 试验烟感');
  await version(3).locator('a').click();
  await version(3).locator('.gh-version-changes', { hasText: '三楼' }).waitFor();
  expect(await page.locator('#gh-deploy-note').inputValue()).toBe('');
  await shot('editor-history');
  const again = page.waitForEvent('load');
  await version(1).locator('.gh-restore').click();
  await again;
  await page.waitForFunction(`window.RED?.nodes?.filterNodes?.({ type: 'gh-vehicle-gate' }).length > 0`);
  expect(await inPage<number>(`RED.nodes.filterNodes({ type: 'gh-smoke-alarm' }).length`)).toBe(0);
  const { items } = await gateway.json<{ items: FlowVersion[] }>('/flows/versions', { as: 'demo-auditor' });
  expect(items.map(({ id, origin, author }) => [id, origin, author])).toEqual([
    [4, 'restore', 'user:demo-installer'],
    [3, 'deploy', 'user:demo-installer'],
    [2, 'deploy', 'user:demo-installer'],
    [1, 'first', 'system:flows'],
  ]);
  expect(items[0]?.hash).toBe(items[3]?.hash);
});

test('the editor connects again by itself when the flow process was killed, and ends with the maintenance', async () => {
  const { flows } = await gateway.json<{ flows: { restarts: number } }>('/status');
  await inPage(`RED.events.on('runtime-state', () => { window.reconnected = true; })`);
  process.kill(flowProcess(), 'SIGKILL');
  await expect
    .poll(async () => (await gateway.json<{ flows: { restarts: number; state: string } }>('/status')).flows, {
      timeout: 20_000,
    })
    .toMatchObject({ restarts: flows.restarts + 1, state: 'running' });
  await page.waitForFunction('window.reconnected === true', undefined, { timeout: 20_000 });
  const ended = await context.request.delete(`${gateway.url}/api/v1/maintenance`, { headers: { 'x-gatehouse': '1' } });
  expect(ended.status()).toBe(200);
  expect((await context.request.get(`${gateway.url}/editor/settings`)).status()).toBe(403);
  expect(faults.filter((text) => !/Failed to load resource|WebSocket/.test(text))).toEqual([]);
});

/** The child of this gateway that runs the flows. */
function flowProcess(): number {
  const children = readFileSync(`/proc/${gateway.pid}/task/${gateway.pid}/children`, 'utf8').trim().split(' ');
  const pid = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('flows/child.ts'));
  if (pid === undefined) throw new Error(`No flow process among ${children.join(' ')}`);
  return Number(pid);
}
