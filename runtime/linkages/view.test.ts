import { expect, test } from 'vitest';
import type { LinkageTest } from '../contracts/linkage-view.ts';
import { positionNumber } from '../journal/schema.ts';
import { openCompound } from './compound.fixture.ts';

test('what is missing is said, and what is at work shows', async () => {
  await using site = await openCompound((yaml) =>
    yaml.replace(/ {2}- id: (door|siren|broadcast)-[\s\S]*?unit: 1 }\n/g, ''),
  );
  const { views } = site.core;
  expect(views.list().map(({ id, state }) => `${id} ${state}`)).toEqual([
    ...['L02 incomplete', 'L34 ready', 'L15 ready', 'L39 ready', 'L18 ready'],
  ]);
  const fire = views.get('L02');
  expect(fire.places[0]?.warnings.map(({ words }) => words.zh)).toEqual(['没有可释放的门', '没有广播或警报器']);
  expect(() => views.get('L99')).toThrow('No linkage L99; there are L02, L34, L15, L39, L18');
  site.play('fire');
  await site.until(() => views.get('L02').places[0]?.outputs.every(({ done }) => done));
  expect(views.get('L02')).toMatchObject({
    state: 'active',
    lastRan: { place: 'compound' },
    places: [{ triggeredBy: expect.arrayContaining([{ device: 'fire-panel', alarm: 'fire' }]) }],
  });
});

test('a test goes from every trigger to every output, touches none, and its record is signed', async () => {
  await using site = await openCompound();
  const { views, journal } = site.core;
  const devices = Object.keys(site.slaves);
  const orders = () => devices.map((device) => site.writes(device).length);
  const before = orders();
  const tried = async (id: string): Promise<LinkageTest> => {
    let found: LinkageTest | undefined;
    void views.test(id, 'user:installer').then((one) => (found = one));
    await site.until(() => found, `test of ${id}`);
    return found as LinkageTest;
  };
  const fire = await tried('L02');
  expect(fire).toMatchObject({ passed: true, by: 'user:installer' });
  expect(fire.places[0]?.triggers).toEqual(
    expect.arrayContaining([{ alarm: 'fire', devices: ['fire-panel'], works: true }]),
  );
  expect(fire.places[0]?.outputs).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        ...{ device: 'gate-east-in', command: 'lockOpen', input: { holdSeconds: 1800 }, reachable: true },
        readBack: { point: 'barrierState', value: 'closed', at: expect.any(Number) },
      }),
    ]),
  );
  expect(orders()).toEqual(before);
  expect(journal.read({ name: 'linkage.started' }).items).toEqual([]);
  expect(views.get('L02').lastTested).toMatchObject({ by: 'user:installer', passed: true, record: fire.record });

  const record = journal.find(fire.record);
  expect(record).toMatchObject({ kind: 'audit', name: 'linkage.tested', actor: 'user:installer' });
  const pos = positionNumber(record?.epoch ?? 0, record?.seq ?? 0);
  expect(journal.db.prepare('SELECT mac FROM audit_chain WHERE pos = ?').get(pos)).toMatchObject({
    mac: expect.any(Buffer),
  });

  await site.lines.get('door-b3-1')?.close();
  await site.until(() => site.core.host.view('door-b3-1').state === 'offline');
  const again = await tried('L02');
  expect(again.passed).toBe(false);
  expect(again.places[0]?.outputs.find(({ device }) => device === 'door-b3-1')).toMatchObject({
    ...{ reachable: false, problem: { zh: '设备没有应答' } },
  });
});
