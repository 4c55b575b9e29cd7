/** What a guard does when life is at stake, and what asks for more than a tap: ux.md 5 to 7, row by row, in a real Chromium. */
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AlarmView, CommandView, DeviceView } from '../../runtime/contracts/api.ts';
import { type Gateway, startGateway } from '../site.ts';
import { apart, buildScreens, logIn, openPanel, type Panel, taps, typePin } from './panel.ts';

const DESK = { width: 1280, height: 800 };

let gateway: Gateway;
let panel: Panel;
let page: Page;

beforeAll(async () => {
  await buildScreens();
  gateway = await startGateway();
  panel = await openPanel(gateway.url, DESK);
  page = panel.page;
  await logIn(page, '演示保安', gateway.pin);
}, 120_000);

afterAll(async () => {
  expect(panel?.complaints ?? []).toEqual([]);
  await panel?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await page.keyboard.press('Escape');
  await page.locator('.shell[data-line="live"]').waitFor();
  while ((await page.locator('.incident').count()) > 0) await button('收起', page.locator('.incident')).click();
  await rail('实时');
});

const rail = (name: string) => page.locator('.rail-item', { hasText: name }).click();
const text = async (of: Locator): Promise<string> => (await of.textContent()) ?? '';
const button = (name: string, within: Page | Locator = page) =>
  within.getByRole('button', { name: new RegExp(`^${name}`) });
const dialog = () => page.getByRole('dialog');
const row = (title: string) => page.locator('.alarm', { hasText: title });
const device = (name: string) => page.locator('.device-card', { hasText: name });
const reached = (within: Locator, word: string) => within.locator('.stage.reached', { hasText: word });
const area = () => page.locator('.incident');

async function play(action: string, body: object = {}): Promise<void> {
  const init = { method: 'POST', as: 'demo-guard', headers: { 'content-type': 'application/json' } };
  const answer = await gateway.api(`/demo/${action}`, { ...init, body: JSON.stringify(body) });
  expect(answer.status, await answer.text()).toBe(204);
}
async function devices(category: string): Promise<void> {
  await rail('设备');
  await button(category, page.locator('.devices-head')).click();
}
const newest = async (name: string): Promise<CommandView | undefined> =>
  (await gateway.json<{ items: CommandView[] }>('/commands?limit=50', { as: 'demo-leader' })).items.find(
    ({ command }) => command === name,
  );
const open = async (kind: string): Promise<AlarmView | undefined> =>
  (await gateway.json<{ items: AlarmView[] }>('/alarms', { as: 'demo-leader' })).items.find((one) => one.kind === kind);

describe('pop-ups', () => {
  test('P2 is a card over nothing, with the picture, and answered with one tap', async () => {
    await play('arrival', { plate: '浙C88F66' });
    await rail('闸机');
    await page.locator('.lane .plate', { hasText: '88F66' }).first().waitFor();
    await play('ebike-in-elevator');
    const card = page.locator('.p2-card');
    await card.locator('.p2-title', { hasText: '电动车进电梯' }).waitFor();
    expect(await area().count()).toBe(0);
    expect(await apart(card, page.locator('.strip'))).toBe(true);
    expect(await taps(button('接警', card))).toBe(1);
    await card.waitFor({ state: 'detached' });
  });

  test('a new panel takes no tap for 0.4 s, and one meant for the screen below does nothing', async () => {
    await rail('闸机');
    const shielded = page.evaluate<boolean[]>(`new Promise((resolve) => {
      new MutationObserver((_, watch) => {
        const ack = document.querySelector('.incident-actions .tap');
        if (!ack) return;
        watch.disconnect();
        const box = ack.getBoundingClientRect();
        const hit = () => ack.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
        const first = hit();
        setTimeout(() => resolve([first, hit()]), 600);
      }).observe(document.body, { subtree: true, childList: true });
    })`);
    await play('intrusion');
    expect(await shielded).toEqual([false, true]);
  });

  test('further P1 queue as tabs with a count; what is worked on stays, the next follows the answer', async () => {
    await play('intrusion');
    await button('详情', row('周界入侵')).click();
    await play('smoke');
    await play('gas');
    await area().locator('.incident-count', { hasText: '3 个事件' }).waitFor();
    await area().getByRole('heading', { name: '周界入侵' }).waitFor();
    for (const kind of ['烟雾报警', '燃气泄漏']) {
      await area().locator('.incident-tab', { hasText: kind }).click();
      await area().getByRole('heading', { name: kind }).waitFor();
    }
    await area().locator('.steps li', { hasText: '切断阀' }).waitFor();
  });

  test('closed without an answer it stays at the edge in red, one tap away', async () => {
    const tag = page.locator('.edge-tag');
    await tag.waitFor();
    expect(await taps(tag)).toBe(1);
    await area().waitFor();
    while ((await area().count()) > 0) {
      const ack = button('接警', area().locator('.incident-actions'));
      if (await ack.isEnabled()) await ack.click();
      await button('收起', area()).click();
    }
    await play('clear');
  });
});

describe('alarms', () => {
  test('what somebody else does is seen at once; P1 and P2 tell that they must still be disposed of', async () => {
    await play('forced-arm');
    await row('强行抬杆').getByText('未接警').waitFor();
    const alarm = await open('forced');
    await gateway.post(`/alarms/${alarm?.id}/ack`, {}, 'demo-leader');
    await row('强行抬杆').getByText('已接警 · 演示队长').waitFor();
    await row('强行抬杆').locator('.tag', { hasText: '须处置' }).waitFor();
    expect(await taps(button('须处置'))).toBe(1);
    await row('强行抬杆').waitFor();
    await button('全部').click();
  });

  test("P2 is shelved with reason, end and the captain's PIN; its list is one tap from the count", async () => {
    await button('详情', row('强行抬杆')).click();
    expect(await text(button('屏蔽', area()))).toContain('队长 PIN');
    await button('屏蔽', area()).click();
    expect(await button('30 分钟', dialog()).isDisabled()).toBe(true);
    expect(await button('60', dialog()).count()).toBe(0);
    await taps(button('已报修', dialog()), button('30 分钟', dialog()));
    await dialog().getByText('屏蔽“强行抬杆”').waitFor();
    await typePin(page, '000000');
    await dialog().getByText('姓名或密码不对').waitFor();
    expect((await open('forced'))?.process).not.toBe('SHELVED');
    await typePin(page, gateway.pin);
    await dialog().waitFor({ state: 'detached' });
    await button('收起', area()).click();
    await row('强行抬杆').waitFor({ state: 'detached' });
    expect(await taps(button('屏蔽 ?1'))).toBe(1);
    await row('强行抬杆').getByText('屏蔽剩余').waitFor();
    expect(await text(row('强行抬杆'))).toMatch(/(29|30):\d\d演示队长 · 已报修/);
    await button('全部').click();
    expect(await open('forced')).toMatchObject({ process: 'SHELVED', shelvedBy: 'user:demo-leader' });
  });

  test("a false fire alarm is cleared with reason, a second tap elsewhere and the captain's PIN", async () => {
    await play('one-detector');
    await play('fire');
    await button('接警', area().locator('.incident-actions')).click();
    await row('火警').first().waitFor();
    await button('详情', row('火警').first()).click();
    expect(await text(button('误报消除', area()))).toContain('先处置为误报');
    await taps(button('处置', area()), button('误报', dialog()));
    await area().getByText('已处置').first().waitFor();
    await play('clear');
    await area().getByText('已恢复，待复位').waitFor();
    await button('误报消除', area()).click();
    const first = button('探测器故障', dialog());
    const place = await first.boundingBox();
    await first.click();
    const second = button('误报消除', dialog());
    await second.waitFor();
    const box = await second.boundingBox();
    expect(place && box && (place.y + place.height < box.y || box.y + box.height < place.y)).toBe(true);
    await second.click();
    await dialog().getByText('探测器故障').waitFor();
    await typePin(page, gateway.pin);
    await dialog().waitFor({ state: 'detached' });
    await expect.poll(async () => (await open('fire'))?.id).toBeUndefined();
  });
});

describe('commands', () => {
  test('a door opens at one tap and tells that nothing proves it; the reason is asked for and can be named later', async () => {
    await rail('闸机');
    await page.locator('.pager .tap').nth(1).click();
    const door = page.locator('.lane', { hasText: '3栋1单元门' });
    expect(await taps(button('开门', door))).toBe(1);
    await door.getByText('已执行（无位置反馈）').waitFor();
    await button('访客已确认', door).waitFor();
    await rail('实时');
    expect(await taps(button('未补原因'))).toBe(1);
    const list = dialog().locator('li', { hasText: '3栋1单元门' });
    await button('业主电话', list).click();
    await list.waitFor({ state: 'detached' });
    await expect.poll(async () => (await newest('open'))?.reason).toBe('resident');
  });

  test('stopping a charger asks a second tap on a box away from the first, and is proved by the current', async () => {
    await devices('充电');
    const shed = device('3栋车棚充电区');
    await button('断电', shed).click();
    expect(await apart(button('断电', shed), dialog())).toBe(true);
    await button('断电', dialog()).click();
    await reached(shed, '已到位').waitFor({ timeout: 20_000 });
    // Making it live again is a captain's, and not without the key on site: the cause is on the button.
    expect(await button('恢复供电', shed).isDisabled()).toBe(true);
    expect(await text(button('恢复供电', shed))).toContain('须在现场转动配电柜钥匙');
  });

  test("F2 the captain's PIN holds an elevator; it counts down on every screen and is let go by two taps", async () => {
    await play('clear');
    await devices('电梯');
    const guard = device('3栋1单元梯控');
    expect(await text(button('停用电梯', guard))).toContain('队长 PIN');
    await taps(button('停用电梯', guard), button('停用电梯', dialog()));
    await typePin(page, gateway.pin);
    await guard.locator('.held-line').waitFor();
    await expect.poll(() => newest('hold')).toMatchObject({ actor: 'user:demo-leader', state: 'succeeded' });
    for (const screen of ['实时', '查询']) {
      await rail(screen);
      expect(await text(page.locator('.hold-chip').first())).toMatch(/停用电梯 · 3栋1单元梯控00:[0-3]\d/);
    }
    await rail('设备');
    await taps(button('放行电梯', guard), button('放行电梯', dialog()));
    await guard.locator('.held-line').waitFor({ state: 'detached' });
    await page.locator('.hold-chip').waitFor({ state: 'detached' });
  });

  test('F3 people trapped: the button that would hold the elevator says why not', async () => {
    await play('entrapment');
    await area().waitFor();
    await button('收起', area()).click();
    await devices('电梯');
    const hold = button('停用电梯', device('3栋1单元梯控'));
    await expect.poll(() => text(hold)).toMatch(/电梯困人.*不能/);
    expect(await hold.isDisabled()).toBe(true);
    await play('clear');
  });

  test('no answer: nobody says it was done, and the camera is one tap away', async () => {
    await rail('闸机');
    await page.locator('.pager .tap').first().click();
    const lane = page.locator('.lane', { hasText: '东门进' });
    await page.route('**/api/v1/commands', (route) => route.abort());
    await button('关闸', lane).click();
    await lane.getByText('未确认，请看现场').waitFor();
    expect(await taps(button('看影像', lane))).toBe(1);
    await dialog().getByText('东门进相机').waitFor();
    await page.unrouteAll();
  });

  test('where the site wants the reason before, the tap asks for it and nothing moves without', async () => {
    const { name, zone, profile, address, settings, cameras } = await gateway.json<DeviceView>(
      '/devices/gate-east-out',
      { as: 'demo-installer' },
    );
    await gateway.json('/devices/gate-east-out', {
      method: 'PUT',
      as: 'demo-installer',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ id: 'gate-east-out', name, zone, profile, address, cameras },
        settings: { ...settings, reason: 'before' },
      }),
    });
    await page.reload();
    await page.locator('.shell[data-line="live"]').waitFor();
    while ((await area().count()) > 0) await button('收起', area()).click();
    await rail('闸机');
    const lane = page.locator('.lane', { hasText: '东门出' });
    await expect.poll(() => button('开闸', lane).isEnabled()).toBe(true);
    const before = (await newest('open'))?.id;
    await button('开闸', lane).click();
    await dialog().getByText('先选原因').waitFor();
    expect((await newest('open'))?.id).toBe(before);
    await button('快递外卖', dialog()).click();
    await reached(lane, '已到位').waitFor({ timeout: 20_000 });
    expect(await newest('open')).toMatchObject({ device: 'gate-east-out', reason: 'delivery' });
    expect((await newest('open'))?.id).not.toBe(before);
  });
});

describe('safety linkages', () => {
  const banner = () => page.locator('.linkage-banner');

  test('each tells what it would do and can be tried dry with a captain’s PIN, under the captain’s name', async () => {
    await play('clear');
    await rail('设备');
    await button('联动').click();
    const fire = page.locator('.linkage', { hasText: '火警疏散' });
    await fire.getByText('从未试验').waitFor();
    await fire.locator('summary').click();
    await fire.getByText('常开 东门进道闸').waitFor();
    const before = (await gateway.json<DeviceView>('/devices/door-b3-1', { as: 'demo-leader' })).points.lockState
      ?.value;
    expect(await text(button('试验', fire))).toContain('队长 PIN');
    await button('试验', fire).click();
    await typePin(page, gateway.pin);
    await fire.getByText('上次试验').waitFor({ timeout: 20_000 });
    expect(await text(fire.locator('.linkage-tried'))).toMatch(/演示队长 (通过|未通过)/);
    await fire.locator('.linkage-results li', { hasText: '东门进道闸' }).getByText('有应答，未动作').waitFor();
    expect(await gateway.json<DeviceView>('/devices/door-b3-1', { as: 'demo-leader' })).toMatchObject({
      points: { lockState: { value: before } },
    });
  });

  test('F1 a fire: every screen says what was done, what is not confirmed and what ends it; nobody can close', async () => {
    await play('fire');
    await area().waitFor();
    await banner().getByText('火警疏散联动中，全小区').waitFor();
    await banner().getByText('信号消失并由人复位后结束').waitFor();
    await expect.poll(() => text(banner()), { timeout: 20_000 }).toMatch(/已完成：.*常开 2/);
    await button('收起', area()).click();
    for (const screen of ['闸机', '查询', '设置']) {
      await rail(screen);
      expect(await banner().isVisible()).toBe(true);
    }
    await rail('闸机');
    const lane = page.locator('.lane', { hasText: '东门进' });
    await expect.poll(() => text(button('关闸', lane))).toContain('火警疏散联动中，不能操作');
    expect(await taps(banner().getByRole('button'))).toBe(1);
    await page.locator('.linkage', { hasText: '火警疏散' }).locator('.linkage-now li').first().waitFor();
    await play('clear');
    const alarm = await open('fire');
    await gateway.post(`/alarms/${alarm?.id}/ack`, {}, 'demo-leader');
    await expect.poll(async () => (await open('fire'))?.returnedAt, { timeout: 20_000 }).toBeGreaterThan(0);
    await gateway.post(`/alarms/${alarm?.id}/reset`, {}, 'demo-leader');
    await banner().waitFor({ state: 'detached', timeout: 30_000 });
  });
});

describe('an alarm under repair', () => {
  const shut = async () => {
    while ((await area().count()) > 0) await button('收起', area()).click();
  };

  test('is taken out of service by the installer with a ticket, is one tap from its count, and comes back', async () => {
    await play('clear');
    await play('intrusion');
    await area().getByText('周界入侵').first().waitFor();
    await button('退出').click();
    await page.goto('/login');
    await button('用户名登录').click();
    await page.getByLabel('用户名').fill('demo-installer');
    await page.getByLabel('密码').fill(gateway.password);
    await button('登录', page.locator('form')).click();
    await page.locator('.shell[data-line="live"]').waitFor();
    await shut();
    const about = row('周界入侵').first();
    await button('详情', about).click();
    await button('停用', area()).click();
    expect(await button('8 小时', dialog()).isDisabled()).toBe(true);
    // What could save a life is never out of service without an end.
    expect(await button('直到恢复', dialog()).count()).toBe(0);
    await page.getByLabel('工单号').fill('WX-2041');
    await button('8 小时', dialog()).click();
    await dialog().waitFor({ state: 'detached' });
    await shut();
    expect(await taps(button('停用 ?1'))).toBe(1);
    await about.getByText('工单 WX-2041').waitFor();
    await button('详情', about).click();
    await button('恢复服务', area()).click();
    await expect.poll(async () => (await open('intrusion'))?.process).not.toBe('OUT_OF_SERVICE');
    await shut();
    await button('退出').click();
    await logIn(page, '演示保安', gateway.pin);
    await play('clear');
  });
});

describe('without a log-in', () => {
  test('F8 a press of one second lets people out, tells what is known, and raises an alarm', async () => {
    await button('退出').click();
    await button('紧急开启').click();
    const exit = dialog().locator('.exit', { hasText: '东门进道闸' });
    const press = exit.getByRole('button');
    await press.click();
    expect(await exit.getByRole('status').textContent()).toBe('');
    await press.click({ delay: 1200 });
    await exit.getByText('已到位').waitFor({ timeout: 20_000 });
    const command = (await newest('open')) as CommandView;
    expect(command.actor).toMatch(/^booth:/);
    expect(await open('emergencyOpen')).toMatchObject({ priority: 1 });
  });
});
