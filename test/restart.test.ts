/** kill -9 at any moment: it comes back and goes on; nothing accepted is lost, nothing opens twice or late. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type { AlarmView, CommandView } from '../runtime/contracts/api.ts';
import type { JournalRecord } from '../runtime/contracts/record.ts';
import { compoundStats } from './compound.ts';
import { type Gateway, startGateway } from './site.ts';

let gateway: Gateway | undefined;
let first: Gateway | undefined;
afterEach(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await first?.[Symbol.asyncDispose]();
  gateway = undefined;
  first = undefined;
});

const running = (record: JournalRecord) =>
  record.name === 'flows' && (record.data as { state: string }).state === 'running';
const post = (body: object) => ({
  method: 'POST',
  as: 'demo-guard',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const finals = ['succeeded', 'failed', 'expired', 'unknown'];

/** One life of a record each, numbers without holes or repeats. */
function expectWhole(records: readonly JournalRecord[]): void {
  expect(records.map((record) => record.seq)).toEqual(records.map((_, index) => index + 1));
  expect(new Set(records.map((record) => record.id)).size).toBe(records.length);
  expect(new Set(records.map((record) => record.epoch))).toEqual(new Set([1]));
}

/** The states of each command, in order. */
function commandsOf(records: readonly JournalRecord[]): Map<string, string[]> {
  const commands = new Map<string, string[]>();
  for (const record of records) {
    if (record.kind !== 'command') continue;
    const { command, state } = record.data as CommandView;
    commands.set(command, [...(commands.get(command) ?? []), state]);
  }
  return commands;
}
const isOf = (record: JournalRecord, id: string) => (record.data as CommandView).command === id;
const stateOf = (record: JournalRecord) => (record.data as CommandView).state;
const isEndOf = (record: JournalRecord, id: string) =>
  record.kind === 'command' && isOf(record, id) && finals.includes(stateOf(record));

describe('kill -9 of the core', () => {
  test('R2 C3 C4 under traffic, again and again: whole journal, one final state each, no pulse without its command', {
    timeout: 240_000,
  }, async () => {
    gateway = await startGateway({ cars: 500 });
    first = gateway;
    await gateway.record(running);
    const answered: string[] = [];
    const seen = new Map<string, string>();
    for (let round = 0; round < 4; round++) {
      // Guards press while cars come; what was answered must be there afterwards.
      const taps = ['gate-east-in', 'gate-east-out'].map(async (device) => {
        const response = await gateway?.api('/commands', {
          ...post({ device, command: 'open', reason: 'trial' }),
          headers: { 'content-type': 'application/json', 'idempotency-key': `round-${round}-${device}` },
        });
        if (response?.status === 202 || response?.status === 200)
          answered.push(((await response.json()) as CommandView).id);
      });
      const some = gateway.record((record) => record.kind === 'event' && !seen.has(record.id), '0:0');
      await Promise.allSettled([...taps, some]);
      for (const record of await gateway.records()) seen.set(record.id, JSON.stringify(record));
      await gateway.kill('SIGKILL');
      gateway = await startGateway({ cars: 500, data: first.data });
    }
    await gateway.record((record) => record.kind === 'event', (await gateway.json<{ head: string }>('/status')).head);
    const records = await gateway.records();
    expectWhole(records);
    const now = new Map(records.map((record) => [record.id, JSON.stringify(record)]));
    for (const [id, text] of seen) expect(now.get(id)).toBe(text);

    const begun = commandsOf(records);
    for (const id of answered) expect(begun.has(id)).toBe(true);
    for (const id of begun.keys()) await gateway.record((record) => isEndOf(record, id));
    const commands = commandsOf(
      (await gateway.records()).filter((record) => begun.has((record.data as CommandView).command)),
    );
    for (const states of commands.values()) expect(states.filter((state) => finals.includes(state))).toHaveLength(1);
    const { pulses } = await compoundStats(first.data);
    const since = commandsOf(await gateway.records());
    const sum = Object.values(pulses).reduce((total, relays) => total + (relays[0] ?? 0), 0);
    expect(sum).toBeGreaterThan(0);
    const executed = [...since.values()].filter((states) => states.includes('executing')).length;
    expect(sum).toBeLessThanOrEqual(executed); // never one pulse more than intents recorded before the byte left
  });

  test('C4 F1 what was being carried out is not sent again, what was held is let go', {
    timeout: 120_000,
  }, async () => {
    first = await startGateway();
    gateway = first;
    const key = { 'content-type': 'application/json', 'idempotency-key': 'once' };
    const open = { ...post({ device: 'gate-east-in', command: 'open' }), headers: key };
    const hold = { device: 'gate-east-out', command: 'lockClosed' };
    const held = await gateway.post<CommandView>('/commands?wait=9000', hold, 'demo-leader', {
      'idempotency-key': 'hold',
    });
    expect(held).toMatchObject({ state: 'succeeded', proven: true });
    const { id } = (await (await gateway.api('/commands', open)).json()) as CommandView;
    await gateway.record((record) => record.kind === 'command' && isOf(record, id) && stateOf(record) === 'executing');
    await gateway.kill('SIGKILL');
    gateway = await startGateway({ data: first.data });
    const released = await gateway.record((record) => record.name === 'lease.released');
    expect(released).toMatchObject({ actor: 'system:lease', data: { command: held.id, reason: 'restart' } });
    const again = (await (await gateway.api('/commands?wait=9000', open)).json()) as CommandView;
    expect(again.id).toBe(id);
    expect(['succeeded', 'unknown']).toContain(again.state);
    // Recorded before the byte left, so the kill may have come between the two; it is never sent afterwards.
    expect((await compoundStats(first.data)).pulses['gate-east-in']?.[0]).toBeLessThanOrEqual(1);
  });
});

describe('kill -9 with alarms in every state', () => {
  test('R2 each is as it was, and what it waits for goes on', {
    timeout: 120_000,
  }, async () => {
    first = await startGateway();
    gateway = first;
    const site = gateway;
    const open = async () => (await site.json<{ items: AlarmView[] }>('/alarms')).items;
    const act = (view: AlarmView | undefined, action: string, body: object = {}, as = 'demo-leader') =>
      site.post<AlarmView>(`/alarms/${view?.id}/${action}`, body, as);
    await Promise.all(['smoke', 'intrusion', 'forced-arm'].map((action) => site.api(`/demo/${action}`, post({}))));
    for (const kind of ['smoke', 'intrusion', 'forced'])
      await site.record((record) => record.kind === 'alarm' && record.name === kind);
    const [smoke, intrusion, forced] = await Promise.all(
      ['smoke', 'intrusion', 'forced'].map(async (kind) => (await open()).find((view) => view.kind === kind)),
    );
    await act(intrusion, 'out-of-service', { ticket: 'W-1', minutes: 60 }, 'demo-installer');
    await act(forced, 'shelve', { note: '施工', minutes: 30 });
    const late = await site.post<AlarmView>(
      '/alarms/out-of-service',
      { device: 'gate-east-out', kind: 'barrierHit', ticket: 'W-2' },
      'demo-installer',
    );
    const shown = (views: readonly AlarmView[]) =>
      views
        .filter(({ id }) => [smoke?.id, intrusion?.id, forced?.id, late.id].includes(id))
        .map(({ id, process, handling, raisedAt, count, shelvedUntil, outOfService }) => ({
          ...{ id, process, handling, raisedAt, count, shelvedUntil, outOfService },
        }))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const before = shown(await open());
    expect(before.map(({ process }) => process).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'ACTIVE_UNACK',
      'OUT_OF_SERVICE',
      'OUT_OF_SERVICE',
      'SHELVED',
    ]);
    await site.kill('SIGKILL');
    gateway = await startGateway({ data: first.data });
    const items = (await gateway.json<{ items: AlarmView[] }>('/alarms')).items;
    expect(shown(items)).toEqual(before);
    const waits = items.find(({ id }) => id === smoke?.id)?.nextEscalation;
    expect(waits?.to).toContain('shift-leader');
    expect((waits?.at ?? 0) - Date.now(), 'no more than what was left').toBeLessThanOrEqual(60_000);
  });
});

describe('kill -9 of the flow process', () => {
  test('R9 it is back by itself, gates stay with the guard meanwhile, and cars pass again', {
    timeout: 120_000,
  }, async () => {
    first = await startGateway();
    gateway = first;
    await gateway.record(running);
    const core = gateway.pid;
    const child = childrenOf(core).find((pid) => commandLine(pid).includes('flows/child.ts'));
    expect(child).toBeDefined();
    const before = (await gateway.json<{ head: string }>('/status')).head;
    process.kill(child ?? 0, 'SIGKILL');
    await gateway.record(
      (record) => record.name === 'flows' && (record.data as { state: string }).state !== 'running',
      before,
    );
    const opened = await gateway.open('gate-east-out');
    expect(opened).toMatchObject({ state: 'succeeded' });
    await gateway.record(running, before);
    const vehicles = await gateway.json<{ plate: string; kind: string; schedule?: object; zones?: object }[]>(
      '/vehicles?limit=100',
      { as: 'demo-admin' },
    );
    const plate = vehicles.find((vehicle) => vehicle.kind === 'resident' && !vehicle.schedule && !vehicle.zones)?.plate;
    await gateway.api('/demo/arrival', post({ plate }));
    await gateway.record(
      (record) => record.name === 'passage' && (record.data as { plate?: string }).plate === plate,
      before,
    );
  });
});

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // gone meanwhile
  }
};

/** All processes whose parent is this one, setpriv in between included. */
function childrenOf(parent: number): number[] {
  const all = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
  const parentOf = (pid: number): number => {
    try {
      return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    } catch {
      return 0; // gone meanwhile
    }
  };
  const direct = all.filter((pid) => parentOf(pid) === parent);
  return [...direct, ...direct.flatMap((pid) => all.filter((other) => parentOf(other) === pid))];
}
