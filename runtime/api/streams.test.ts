import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import type { Role } from '../contracts/contract.ts';
import type { Draft, JournalRecord } from '../contracts/record.ts';
import { openTestGateway, type TestGateway, type TestOptions } from './gateway.fixture.ts';

let clock: ManualClock;
let gateway: TestGateway;
let port: number;
const followers: Follower[] = [];
beforeEach(async () => {
  clock = manualClock();
  await start();
});
afterEach(async () => {
  for (const follower of followers.splice(0)) follower.stop();
  await gateway[Symbol.asyncDispose]();
});
async function start(options: TestOptions = {}) {
  gateway = await openTestGateway({ clock, ...options });
  port = (await gateway.api.listen()).port;
}
async function restart(options: TestOptions) {
  await gateway[Symbol.asyncDispose]();
  await start(options);
}

interface Event {
  readonly event: string;
  readonly id?: string;
  readonly data: string;
}
interface Follower {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: () => string;
  readonly events: Event[];
  /** Resolves once there are so many of a kind. */
  until(event: string, count: number): Promise<Event[]>;
  readonly ended: Promise<void>;
  pause(): void;
  stop(): void;
}

const eventOf = (block: string): Event => {
  const fields = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  const id = fields.get('id');
  return { event: fields.get('event') ?? '', data: fields.get('data') ?? '', ...(id === undefined ? {} : { id }) };
};

async function follow(as: Role | 'flow', query = '', headers: Record<string, string> = {}): Promise<Follower> {
  const request = get({
    host: '127.0.0.1',
    port,
    path: `/api/v1/stream${query}`,
    headers: { ...(await gateway.login(as)), ...headers },
    agent: false,
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  const events: Event[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  let text = '';
  response.setEncoding('utf8');
  response.on('data', (piece: string) => {
    text += piece;
    rest += piece;
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    events.push(...blocks.map(eventOf));
    for (const check of waiting) check();
  });
  const follower: Follower = {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: () => text,
    events,
    until: (event, count) =>
      new Promise((resolve) => {
        const check = () => {
          const found = events.filter((one) => one.event === event);
          if (found.length < count) return;
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      }),
    ended: new Promise((resolve) => response.once('close', resolve)),
    pause: () => response.pause(),
    stop: () => request.destroy(),
  };
  followers.push(follower);
  return follower;
}

const passage = (n: number): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'passage',
  data: { direction: 'in', gate: 'gate-east-in', plate: `粤B${String(n).padStart(5, '0')}`, occupiedMs: n },
});
const recordsOf = (events: readonly Event[]) =>
  events.filter(({ event }) => event === 'record').map(({ data }) => JSON.parse(data) as JournalRecord);
const seqs = (follower: Follower) => recordsOf(follower.events).map(({ seq }) => seq);
const countTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const after = () => `?after=1:${gateway.journal.head().seq}`;

describe('a follower', () => {
  test('sees every record once, in order, while others are being written', async () => {
    const first = gateway.journal.head().seq + 1;
    const total = 6000;
    let written = 0;
    const writer = (async () => {
      while (written < total) {
        const batch = Math.min(1 + (written % 7), total - written);
        const drafts = Array.from({ length: batch }, (_, i) => passage(written + i));
        written += batch;
        await gateway.journal.append(...drafts);
      }
    })();
    const joined: Follower[] = [];
    for (let i = 0; i < 4; i++) {
      const at = first + Math.floor((written * (i + 1)) / 5);
      joined.push(await follow('admin', `?after=1:${at - 1}&device=gate-east-in`));
      const head = gateway.journal.head().seq;
      await new Promise<void>((resolve) => {
        const end = gateway.journal.onCommit(() => {
          if (gateway.journal.head().seq < Math.min(head + 700, first + total - 1)) return;
          end();
          resolve();
        });
      });
    }
    await writer;
    const last = await gateway.journal.append({
      ...passage(0),
      name: 'fee.paid',
      data: { plate: 'x', amount: 1, payment: 'y' },
    });
    for (const follower of joined) {
      while (seqs(follower).at(-1) !== last[0]?.seq)
        await follower.until('record', recordsOf(follower.events).length + 1);
      const seen = seqs(follower);
      // Log-ins of this test are audit records between; the filter leaves the gate's own.
      const wanted = gateway.journal.db
        .prepare<[number], { pos: number }>(
          `SELECT pos FROM record WHERE device = 'gate-east-in' AND pos % 1099511627776 >= ? ORDER BY pos`,
        )
        .all(seen[0] ?? 0)
        .map(({ pos }) => pos % 2 ** 40);
      expect(seen).toEqual(wanted);
      expect(new Set(seen).size).toBe(seen.length);
    }
    expect(joined).toHaveLength(4);
  });

  test('starts with what comes from now on, unless it says where', async () => {
    await gateway.journal.append(passage(1));
    const stream = await follow('shift-leader');
    const [record] = await gateway.journal.append(passage(2));
    await stream.until('record', 1);
    expect(seqs(stream)).toEqual([record?.seq]);
    expect(stream.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(stream.headers['content-security-policy']).toContain(`default-src 'self'`);
    expect(stream.events[1]?.id).toBe(`1:${record?.seq}`);
  });

  test('goes on after its last id, which counts more than the address', async () => {
    const place = gateway.journal.head().seq;
    await gateway.journal.append(...countTo(1, 1200).map(passage));
    const stream = await follow('shift-leader', `?after=1:${place}&kind=event`, {
      'last-event-id': `1:${place + 600}`,
    });
    await stream.until('record', 600);
    await gateway.journal.append(passage(9));
    await stream.until('record', 601);
    const events = recordsOf(stream.events).filter(({ kind }) => kind === 'event');
    expect(events.map(({ data }) => (data as { occupiedMs: number }).occupiedMs)).toEqual([...countTo(601, 1200), 9]);
  });

  test('hears a beat each second with the gateway\u2019s time and place', async () => {
    const stream = await follow('guard');
    await stream.until('beat', 1);
    await clock.advance(3000);
    const beats = await stream.until('beat', 4);
    expect(JSON.parse(beats[3]?.data ?? '')).toEqual({ now: clock.now(), head: `1:${gateway.journal.head().seq}` });
  });

  test('with a place of another journal is told to start over, and follows from now on', async () => {
    const stream = await follow('admin', '?after=7:5');
    const [reset] = await stream.until('reset', 1);
    expect(JSON.parse(reset?.data ?? '')).toEqual({ head: `1:${gateway.journal.head().seq}` });
    const [record] = await gateway.journal.append(passage(1));
    await stream.until('record', 1);
    expect(seqs(stream)).toEqual([record?.seq]);
    const ahead = await follow('admin', '?after=1:999999');
    await ahead.until('reset', 1);
  });

  test('gets what its filter asks for', async () => {
    const stream = await follow(
      'admin',
      '?lane=L0,L1&kind=event&kind=audit&scenario=vehicle-gate&device=gate-east-in&name=passage',
    );
    await gateway.journal.append(
      { ...passage(1), lane: 'L2' },
      { ...passage(2), device: 'gate-east-out' },
      { ...passage(3), name: 'plate.read' },
      { ...passage(4), kind: 'alarm' },
      passage(5),
    );
    await stream.until('record', 1);
    expect(recordsOf(stream.events).map(({ data }) => (data as { occupiedMs: number }).occupiedMs)).toEqual([5]);
  });
});

describe('what a follower may see', () => {
  test('audit records are for auditors and administrators', async () => {
    const place = after();
    const [guard, auditor] = [await follow('guard', place), await follow('auditor', place)];
    await gateway.auth.accounts.create({ name: 'wang', displayName: '王', role: 'guard', pin: '472901' }, 'user:x');
    await gateway.journal.append(passage(1));
    await guard.until('record', 1);
    await auditor.until('record', 4);
    expect(recordsOf(guard.events).map(({ kind }) => kind)).toEqual(['event']);
    expect(recordsOf(auditor.events).map(({ name }) => name)).toContain('user.account.created');
    const asked = await gateway.call('GET', '/api/v1/records?kind=audit', { as: 'guard' });
    expect(asked.json<{ items: unknown[] }>().items).toEqual([]);
  });

  test('plates are whole for the guard at the gate and for the platform, masked for the auditor', async () => {
    const streams = [
      await follow('guard', '?kind=event'),
      await follow('platform', '?kind=event'),
      await follow('auditor', '?kind=event'),
    ];
    await gateway.journal.append(passage(12345));
    await Promise.all(streams.map((stream) => stream.until('record', 1)));
    const plates = streams
      .flatMap((stream) => recordsOf(stream.events))
      .map(({ data }) => (data as { plate: string }).plate);
    expect(plates).toEqual(['粤B12345', '粤B12345', '粤B****5']);
  });

  test('a guard does not search last week by asking the stream for it', async () => {
    const place = after();
    await gateway.journal.append(passage(1));
    clock.step(26 * 3_600_000);
    const [guard, leader] = [
      await follow('guard', `${place}&kind=event`),
      await follow('shift-leader', `${place}&kind=event`),
    ];
    await gateway.journal.append(passage(2));
    await Promise.all([guard.until('record', 1), leader.until('record', 2)]);
    expect(seqs(guard)).toHaveLength(1);
  });
});

describe('limits', () => {
  test('four streams each, fifty in all, and a place is free again when one ends', async () => {
    const own = [];
    for (let i = 0; i < 4; i++) own.push(await follow('guard'));
    const fifth = await follow('guard');
    await fifth.ended;
    expect(fifth.status).toBe(409);
    expect(JSON.parse(fifth.text())).toMatchObject({ code: 'stream.limit' });
    expect((await follow('installer')).status).toBe(200);
    const metrics = async () => /gh_ws_clients (\d+)/.exec((await gateway.call('GET', '/metrics')).body)?.[1];
    expect(await metrics()).toBe('5');
    own[0]?.stop();
    while ((await metrics()) !== '4') await new Promise((resolve) => setImmediate(resolve));
    expect((await follow('guard')).status).toBe(200);
  });

  test('one more than all places is refused', async () => {
    await restart({ limits: { streams: 2 } });
    await follow('guard');
    await follow('admin');
    expect((await follow('installer')).status).toBe(409);
  });

  test('one that does not read is closed and holds up nobody', async () => {
    const [slow, quick] = [await follow('admin', '?kind=event'), await follow('installer', '?kind=event')];
    slow.pause();
    const note = 'x'.repeat(20_000);
    let sent = 0;
    while (/gh_ws_clients 2/.test((await gateway.call('GET', '/metrics')).body)) {
      await gateway.journal.append({ ...passage(sent), data: { note } });
      sent++;
    }
    await quick.until('record', sent);
    expect(seqs(quick)).toHaveLength(sent);
    expect(sent).toBeGreaterThan(10); // 256 KiB unsent at least
  });

  test('a stream ends when its session does', async () => {
    const stream = await follow('admin');
    const other = await follow('guard');
    await gateway.call('DELETE', '/api/v1/sessions/current', { as: 'admin' });
    await clock.advance(1000);
    await stream.ended;
    await other.until('beat', 2);
  });

  test('an unattended screen logs out although its stream runs', async () => {
    const stream = await follow('admin');
    await clock.advance(15 * 60_000 + 1000);
    await stream.ended;
  });
});

test('a record that nobody may read is no reason to end', async () => {
  const stream = await follow('guard', '?kind=audit');
  await gateway.journal.append(passage(1));
  await clock.advance(1000);
  await stream.until('beat', 2);
  expect(seqs(stream)).toEqual([]);
});

test('closing the gateway ends the streams and is done at once', async () => {
  const stream = await follow('guard');
  const from = performance.now();
  await gateway.api.close();
  await stream.ended;
  expect(performance.now() - from).toBeLessThan(2000);
});
