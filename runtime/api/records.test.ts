import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import type { CommandView, RecordsPage } from '../contracts/api.ts';
import type { Role } from '../contracts/contract.ts';
import type { Draft, JournalRecord } from '../contracts/record.ts';
import { csvField } from './export-text.ts';
import { openTestGateway, type TestGateway } from './gateway.fixture.ts';
import { maskText } from './masking.ts';

const read = (plate: string, more: Partial<Draft> = {}): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'camera-east-in',
  name: 'plate.read',
  data: { plate, trigger: 'video', stored: false },
  ...more,
});

let clock: ManualClock;
let gateway: TestGateway;
beforeAll(async () => {
  clock = manualClock();
  gateway = await openTestGateway({ clock });
  await gateway.journal.append(read('京A00001'));
  clock.step(40 * 86_400_000);
  await gateway.journal.append(read('京A00002'));
  clock.step(20 * 86_400_000);
  await gateway.journal.append(read('京A00003'), read('=cmd|1'), read('京A00005', { device: 'gate-east-in' }));
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

const page = async (as: Role | 'flow', query = '') =>
  (await gateway.call('GET', `/api/v1/records?kind=event${query}`, { as })).json<RecordsPage>();
const platesOf = ({ items }: { items: readonly JournalRecord[] }) =>
  items.map(({ data }) => (data as { plate: string }).plate);

describe('a page of records', () => {
  test('goes on where the last one ended, without an end in between', async () => {
    const first = await page('platform', '&limit=2');
    expect(platesOf(first)).toEqual(['京A00001', '京A00002']);
    const second = await page('platform', `&limit=3&after=${first.next}`);
    expect(platesOf(second)).toEqual(['京A00003', '=cmd|1', '京A00005']);
    const again = await page('platform', `&limit=3&after=${first.next}`);
    expect(again.items).toEqual(second.items);
    expect(platesOf(await page('platform', `&after=${second.next}`))).toEqual([]);
  });

  test('comes newest first when asked, and by device, time and text', async () => {
    expect(platesOf(await page('admin', '&order=desc&limit=2'))).toEqual(['京A00005', '=cmd|1']);
    expect(platesOf(await page('admin', '&device=gate-east-in'))).toEqual(['京A00005']);
    expect(
      platesOf(await page('admin', `&to=${clock.now() - 86_400_000}&from=${clock.now() - 30 * 86_400_000}`)),
    ).toEqual(['京A00002']);
    expect(platesOf(await page('admin', '&text=0003'))).toEqual(['京A00003']);
  });

  test('shows each role what it may see', async () => {
    const seen = async (as: Role) => platesOf(await page(as));
    expect(await seen('guard')).toEqual(['京A00003', '=cmd|1', '京A00005']);
    expect(await seen('shift-leader')).toEqual(['京A00002', '京A00003', '=cmd|1', '京A00005']);
    expect(await seen('platform')).toHaveLength(5);
    expect(await seen('auditor')).toEqual(['京A****1', '京A****2', '京A****3', '=c***1', '京A****5']);
    expect(await seen('installer')).toEqual(await seen('auditor'));
  });

  test('is refused for a place that is none and a filter nobody knows', async () => {
    for (const query of ['after=12', 'after=1:x', 'lane=L9', 'limit=0', 'limit=501', 'zone=x', 'order=up', 'from=-1']) {
      const answer = await gateway.call('GET', `/api/v1/records?${query}`, { as: 'admin' });
      expect(answer.status, query).toBe(400);
    }
  });
});

describe('why', () => {
  test('leads from the plate to the passage, over the command', async () => {
    const [plate] = await gateway.journal.append(read('粤B12345'));
    const ask = { gate: 'gate-east-in', plate: '粤B12345', cause: plate?.id };
    const decision = (await gateway.call('POST', '/api/v1/access', { as: 'flow', body: ask })).json<{
      record: string;
    }>();
    const opened = await gateway.call('POST', '/api/v1/commands?wait=5000', {
      as: 'flow',
      body: { device: 'gate-east-in', command: 'open', cause: decision.record },
      headers: { 'idempotency-key': 'chain-1' },
    });
    const command = opened.json<CommandView>();
    const [passage] = await gateway.journal.append({
      ...read('粤B12345', { name: 'passage', device: 'gate-east-in', cause: command.id }),
      data: { direction: 'in', gate: 'gate-east-in', plate: '粤B12345', command: command.id, occupiedMs: 900 },
    });
    const wanted = ['plate.read', 'access.granted', 'open accepted', 'open executing', 'open succeeded', 'passage'];
    const command2 = gateway
      .records()
      .find(({ kind, data }) => kind === 'command' && (data as CommandView).state === 'executing');
    for (const id of [plate?.id, decision.record, passage?.id, command2?.id]) {
      const { items } = (await gateway.call('GET', `/api/v1/records/${id}/chain`, { as: 'guard' })).json<RecordsPage>();
      const told = items.map(({ name, kind, data }) =>
        kind === 'command' ? `${name} ${(data as CommandView).state}` : name,
      );
      expect(told).toEqual(wanted);
    }
  });

  test('tells only what the caller may see', async () => {
    const [first] = await gateway.journal.append(read('京A1'));
    const [second] = await gateway.journal.append(read('京A2', { cause: first?.id ?? '' }));
    await gateway.journal.append(read('京A3', { cause: second?.id ?? '' }));
    const { items } = (
      await gateway.call('GET', `/api/v1/records/${second?.id}/chain`, { as: 'auditor' })
    ).json<RecordsPage>();
    expect(platesOf({ items })).toEqual(['京**', '京**', '京**']);
    const audit = gateway.records().find(({ kind }) => kind === 'audit');
    expect((await gateway.call('GET', `/api/v1/records/${audit?.id}/chain`, { as: 'guard' })).status).toBe(404);
    expect((await gateway.call('GET', `/api/v1/records/${audit?.id}/chain`, { as: 'auditor' })).status).toBe(200);
  });
});

describe('an export', () => {
  const get = (as: Role, query: string) => gateway.call('GET', `/api/v1/records/export?${query}`, { as });

  test('as CSV opens in a spreadsheet and runs nothing there', async () => {
    const answer = await get('platform', 'format=csv&kind=event&to=9999999999999');
    expect(answer.headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': expect.stringMatching(
        /^attachment; filename="gatehouse-records-2027-01-20-04-00-\d\d-demo-platform.csv"$/,
      ),
    });
    const [header, ...lines] = answer.body.split('\r\n');
    expect(header).toBe('\uFEFFposition,id,at,received,clock,lane,kind,scenario,device,name,data,quality,cause,actor');
    expect(lines[0]).toContain('"{""plate"":""京A00001"",""trigger"":""video"",""stored"":false}"');
    expect(lines.at(-1)).toBe('');
  });

  test.each([
    ['=1+1', `'=1+1`],
    ['+86 138', `'+86 138`],
    ['-2+3', `'-2+3`],
    ['@SUM(A1)', `'@SUM(A1)`],
    ['\tx', `'\tx`],
    ['\r=x', `"'\r=x"`],
    ['=a,"b"', `"'=a,""b"""`],
    ['-12.5', '-12.5'],
    ['粤B12345', '粤B12345'],
    ['a\nb', '"a\nb"'],
  ])('guards %j', (text, field) => {
    expect(csvField(text)).toBe(field);
  });

  test('guards a device that calls itself a formula', async () => {
    await gateway.journal.append({
      ...read('x'),
      name: '=HYPERLINK("http://evil","x")',
      kind: 'telemetry',
      data: '=1+1',
    });
    const { body } = await get('platform', 'format=csv&kind=telemetry');
    expect(body.split('\r\n')[1]).toMatch(/,"'=HYPERLINK\(""http:\/\/evil"",""x""\)",'=1\+1,good,,$/);
  });

  test('as NDJSON has every record once, however many pages', async () => {
    const from = clock.now();
    await gateway.journal.append(...Array.from({ length: 1234 }, (_, i) => read(`苏C${i}`)));
    const { body } = await get('platform', `format=ndjson&kind=event&from=${from}&text=苏C`);
    const records = body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as JournalRecord);
    expect(platesOf({ items: records })).toEqual(Array.from({ length: 1234 }, (_, i) => `苏C${i}`));
  });

  test('is cut and masked like a search, and on record before the first byte', async () => {
    const guard = await get('guard', 'format=ndjson&kind=event');
    expect(guard.body).not.toContain('京A00002');
    expect((await get('auditor', 'format=ndjson&kind=event')).body).not.toContain('京A00001');
    const notes = gateway.journal.read({ kind: ['audit'], limit: 500 }).items;
    expect(notes.filter(({ name }) => name === 'records.export.started').at(-2)).toMatchObject({
      actor: 'user:demo-guard',
      data: { format: 'ndjson', kind: ['event'] },
    });
  });

  test('is not for installers, and for an administrator with a reason only', async () => {
    expect((await get('installer', 'format=csv')).status).toBe(403);
    expect((await get('admin', 'format=csv')).json()).toMatchObject({ code: 'record.reason' });
    expect((await get('admin', `format=csv&reason=${encodeURIComponent('警方调证 2027-014')}`)).status).toBe(200);
    expect(JSON.stringify(gateway.records().concat(gateway.journal.read({ order: 'desc', limit: 5 }).items))).toContain(
      '警方调证',
    );
  });
});

test.each([
  ['粤B12345', '粤B****5'],
  ['粤BD12345', '粤B*****5'],
  ['张三丰', '张**'],
  ['13812345678', '138****5678'],
  ['', ''],
])('masks %s', (text, masked) => {
  expect(maskText(text)).toBe(masked);
});
