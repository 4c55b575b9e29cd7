import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AlarmView } from '../contracts/api.ts';
import {
  type AlarmRig,
  battery,
  forced,
  guard,
  heldOpen,
  leader,
  line,
  offline,
  openAlarms,
  smoke,
} from './alarms.fixture.ts';

let rig: AlarmRig;
beforeEach(async () => {
  rig = await openAlarms();
});
afterEach(() => rig[Symbol.asyncDispose]());

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const step = (ms: number) => rig.clock.advance(ms).then(() => rig.settled());
const levels = () => rig.escalated.map(({ escalation }) => escalation?.level);
const to = () => rig.escalated.map((view) => view.escalation?.to.join(' '));
const records = () =>
  rig.journal
    .read({ kind: ['alarm'], limit: 500 })
    .items.filter(({ data }) => (data as { change: string }).change === 'escalated');

describe('nobody reacts', () => {
  test('P1 goes to the shift leader after 60 s, further up after 180 s, and again and again', async () => {
    await rig.alarms.raise(smoke);
    await step(59 * SECOND);
    expect(levels()).toEqual([]);
    await step(SECOND);
    expect(to()).toEqual(['shift-leader siren']);
    await step(2 * MINUTE);
    expect(to()).toEqual(['shift-leader siren', 'manager second-booth siren sms voice']);
    await step(3 * MINUTE);
    await step(3 * MINUTE);
    expect(levels()).toEqual([1, 2, 2, 2]);
    expect(records().map(({ lane, name }) => `${lane} ${name}`)).toEqual(Array(4).fill('L0 smoke'));
    expect(rig.alarms.open()[0]?.escalation).toMatchObject({ level: 2, to: expect.arrayContaining(['sms']) });
  });

  test('P2 after five minutes and once, P3 into the shift report, P4 as a work order', async () => {
    await rig.alarms.raise(forced);
    await step(5 * MINUTE);
    expect(to()).toEqual(['shift-leader']);
    await rig.alarms.raise(heldOpen);
    await rig.alarms.raise(battery);
    await step(30 * MINUTE);
    expect(to()).toEqual(['shift-leader', 'shift-report']);
    await step(8 * 60 * MINUTE);
    expect(to()).toEqual(['shift-leader', 'shift-report', 'work-order']);
    expect(records().map(({ lane }) => lane)).toEqual(['L0', 'L0', 'L0']);
  });

  test('an acknowledgement ends it, and tells who was called that somebody has answered', async () => {
    const { id } = await rig.alarms.raise(smoke);
    await step(MINUTE);
    const view = await rig.alarms.act(id, 'ack', {}, guard);
    expect(view).toMatchObject({ answerMs: MINUTE, escalation: { level: 1 } });
    expect(view.nextEscalation).toBeUndefined();
    expect(rig.answered.map((one) => one.id)).toEqual([id]);
    await step(60 * MINUTE);
    expect(levels()).toEqual([1]);
  });

  test('what has gone before anybody saw it escalates all the same; coming again does not put it off', async () => {
    await rig.alarms.raise(smoke);
    await rig.clear(smoke);
    await step(40 * SECOND);
    await rig.alarms.raise(smoke);
    await step(20 * SECOND);
    expect(levels()).toEqual([1]);
  });

  test('answered, gone and come again it waits anew', async () => {
    const { id } = await rig.alarms.raise(smoke);
    await rig.alarms.act(id, 'ack', {}, guard);
    await rig.clear(smoke);
    await step(10 * MINUTE);
    await rig.alarms.raise(smoke);
    await step(59 * SECOND);
    expect(levels()).toEqual([]);
    await step(SECOND);
    expect(levels()).toEqual([1]);
  });

  test('what grows worse is told by the sooner table', async () => {
    const full = { device: '', scenario: 'gateway', zone: '', kind: 'storageFull', actor: 'system:storage' };
    await rig.alarms.raise(full);
    await step(MINUTE);
    await rig.alarms.raise({ ...full, weight: { priority: 1, severity: 'critical' } });
    await step(MINUTE);
    expect(to()).toEqual(['shift-leader siren']);
  });

  test('shelved, suppressed and out of service nothing escalates', async () => {
    const { id } = await rig.alarms.raise(forced);
    await rig.alarms.act(id, 'shelve', { note: '施工', minutes: 30 }, leader);
    await rig.alarms.raise(line);
    await rig.alarms.raise(offline('gate-1'));
    const parent = rig.alarms.open().find(({ kind }) => kind === 'lineDown') as AlarmView;
    await rig.alarms.act(parent.id, 'ack', {}, guard);
    await step(29 * MINUTE);
    expect(levels()).toEqual([]);
    await step(MINUTE + 5 * MINUTE);
    expect(
      rig.escalated.map(({ kind }) => kind),
      'back from the shelf it waits again',
    ).toEqual(['forced']);
  });

  test('a site has its own steps; the next one is told to screens', async () => {
    rig.settings = { escalation: { p1: [{ afterSeconds: 20, to: ['voice'] }], repeatSeconds: 30 } };
    const view = await rig.alarms.raise(smoke);
    expect(view.nextEscalation).toEqual({ at: rig.clock.now() + 20 * SECOND, to: ['voice'] });
    await step(20 * SECOND);
    await step(30 * SECOND);
    expect(to()).toEqual(['voice', 'voice']);
  });
});

describe('T1 T6 clocks and restarts', () => {
  test('T1 a wall clock that steps an hour either way neither fires nor loses an escalation', async () => {
    await rig.alarms.raise(smoke);
    await step(30 * SECOND);
    rig.clock.step(60 * MINUTE);
    await step(29 * SECOND);
    expect(levels()).toEqual([]);
    rig.clock.step(-2 * 60 * MINUTE);
    await step(SECOND);
    expect(levels()).toEqual([1]);
  });

  test('T6 the rest of the time is stored: a gateway that restarts every 25 s still escalates after a minute of running', async () => {
    await rig.alarms.raise(smoke);
    for (let start = 0; start < 3; start++) {
      await step(12 * SECOND);
      await step(12 * SECOND);
      await rig.restart(start === 1 ? -3_600_000 : 3_600_000);
    }
    expect(levels().length).toBeLessThanOrEqual(1);
    await step(20 * SECOND);
    expect(levels()).toEqual([1]);
    await rig.restart();
    await step(3 * MINUTE);
    expect(levels(), 'a step that was taken is not taken again').toEqual([1, 2]);
  });
});
