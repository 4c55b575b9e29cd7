/** Nobody reacts: who is told, what is ordered, which siren sounds, and when it ends. Real alarms, notices and work orders. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AlarmRig, battery, forced, guard, openAlarms, smoke } from './alarms/alarms.fixture.ts';
import type { CommandInput, CommandView } from './contracts/api.ts';
import type { Device } from './devices/device.ts';
import { loadProfiles } from './devices/profiles.ts';
import { createNotices, type Notices, schema as noticeSchema } from './duty/notices.ts';
import { createWorkOrders, type WorkOrders, schema as workOrderSchema } from './duty/work-orders.ts';
import { createOnce, schema as onceSchema } from './journal/once.ts';
import { silentLog } from './log.ts';
import { startSummons } from './summons.ts';

const MINUTE = 60_000;
const siren = (id: string, zone: string) =>
  ({ id, zone, scenario: 'public-broadcast', profile: loadProfiles().get('generic/relay-siren') }) as unknown as Device;
/** A siren in the building and one for the whole compound. */
const sirens: readonly Device[] = [siren('siren-b3-1', 'b3-1'), siren('siren-compound', 'compound')];

let rig: AlarmRig;
let notices: Notices;
let workOrders: WorkOrders;
let sent: { input: CommandInput; actor: string; key: string }[];
let sendAgain: () => void;

beforeEach(async () => {
  rig = await openAlarms({ schema: [onceSchema, noticeSchema, workOrderSchema] });
  const once = createOnce({ journal: rig.journal, clock: rig.clock });
  notices = createNotices({ journal: rig.journal, clock: rig.clock, once });
  workOrders = createWorkOrders({ journal: rig.journal, clock: rig.clock, once, log: silentLog });
  sent = [];
  sendAgain = startSummons({
    alarms: rig.alarms,
    notices,
    workOrders,
    log: silentLog,
    inventory: {
      devicesIn: (zone) => sirens.filter((device) => device.zone === zone),
      zonePath: (zone) => [zone, 'compound'].map((id) => ({ id, name: id, kind: 'area' as const })),
    },
    dispatcher: {
      async send(input, { actor }, key) {
        sent.push({ input, actor, key });
        return {} as CommandView;
      },
    },
  });
});
afterEach(async () => {
  workOrders.stop();
  await rig[Symbol.asyncDispose]();
});
const step = async (ms: number) => {
  await rig.clock.advance(ms);
  for (let turn = 0; turn < 3; turn++) await rig.settled();
};
const commands = () => sent.map(({ input }) => `${input.device} ${input.command}`);

test('P1: the shift leader is told, then everybody; the nearest siren sounds until somebody answers', async () => {
  const { id } = await rig.alarms.raise(smoke);
  await step(MINUTE);
  expect(notices.list({ role: 'shift-leader' })).toMatchObject([
    { priority: 1, to: { roles: ['shift-leader'] }, text: expect.stringContaining('烟雾报警：无人接警') },
  ]);
  expect(notices.list({ role: 'guard' })).toEqual([]);
  expect(commands()).toEqual(['siren-b3-1 sirenOn']);
  expect(sent[0]).toMatchObject({ actor: 'linkage:escalation', input: { input: {} } });
  await step(2 * MINUTE);
  expect(notices.list({ role: 'guard' })).toMatchObject([{ to: { roles: ['admin', 'guard'] } }]);
  await rig.alarms.act(id, 'ack', {}, guard);
  await step(0);
  expect(commands()).toEqual(['siren-b3-1 sirenOn', 'siren-b3-1 sirenOn', 'siren-b3-1 sirenOff']);
  expect(new Set(sent.map(({ key }) => key)).size, 'each of its own key').toBe(3);
});

test('the siren goes on for another one of the place that nobody has answered', async () => {
  const first = await rig.alarms.raise(smoke);
  const second = await rig.alarms.raise({ ...smoke, device: 'smoke-2' });
  await step(MINUTE);
  await rig.alarms.act(first.id, 'ack', {}, guard);
  expect(commands().filter((command) => command.endsWith('sirenOff'))).toEqual([]);
  await rig.alarms.act(second.id, 'ack', {}, guard);
  expect(commands().filter((command) => command.endsWith('sirenOff'))).toEqual(['siren-b3-1 sirenOff']);
});

test('P2 tells the shift leader and wakes nobody by siren; P4 becomes a work order', async () => {
  await rig.alarms.raise(forced);
  const { id } = await rig.alarms.raise(battery);
  await step(9 * 60 * MINUTE);
  expect(notices.list({ role: 'shift-leader' })).toHaveLength(1);
  expect(sent).toEqual([]);
  expect(workOrders.list({})).toMatchObject([
    { alarm: id, device: 'smoke-1', zone: 'b3-1', priority: 4, title: expect.stringContaining('电池电量低') },
  ]);
});

test('what a crash cut short is sent at the next start, and what was sent is not sent twice', async () => {
  await rig.alarms.raise(battery);
  await rig.alarms.raise(smoke);
  await step(9 * 60 * MINUTE);
  const [told, ordered] = [notices.list({ role: 'admin' }).length, workOrders.list({}).length];
  sendAgain();
  sendAgain();
  await step(0);
  expect([notices.list({ role: 'admin' }).length, workOrders.list({}).length]).toEqual([told, ordered]);
});
