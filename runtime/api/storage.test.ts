import { describe, expect, test } from 'vitest';
import type { PointHistory, Status, StorageView } from '../contracts/api.ts';
import { draftOf, openTestStore } from '../storage/storage.fixture.ts';
import { openTestGateway } from './gateway.fixture.ts';

const HOUR = 3_600_000;

describe('storage over HTTP', () => {
  test('B6 backlog, oldest age, drop counters, fill and outage in /storage, /status and /metrics', async () => {
    await using store = await openTestStore({ capBytes: 64 << 20 });
    store.world.targets = [{ id: 'city', lanes: ['L0', 'L1', 'L2', 'L3'] }];
    for (let n = 0; n < 10; n++) {
      await store.journal.append(...Array.from({ length: 100 }, (_, at) => draftOf(at === 0 ? 'L1' : 'L3', at)));
      await store.clock.advance(60_000);
    }
    await store.storage.look();
    await using gateway = await openTestGateway({ parts: { storage: () => store.storage, clock: store.clock } });
    const view = (await gateway.call('GET', '/api/v1/storage', { as: 'platform' })).json<StorageView>();
    expect(view).toMatchObject({ ballast: true, removing: [], capBytes: 64 << 20, retention: { held: false } });
    expect(view.fill).toBeCloseTo(view.usedBytes / view.roomBytes);
    const target = view.targets.find(({ lane }) => lane === 'L3');
    expect(target).toMatchObject({ id: 'city', backlog: 990, dropped: 0, oldestAt: store.clock.now() - 600_000 });
    const lane = view.lanes.find((one) => one.lane === 'L3');
    expect(lane).toMatchObject({ refused: false, dropped: { thinned: 0, space: 0, retention: 0 } });
    expect(lane?.perDay).toBeGreaterThan(100_000);
    const { storage } = (await gateway.call('GET', '/api/v1/status', { as: 'guard' })).json<Status>();
    expect(storage).toMatchObject({ ballast: true, refused: [], outageSeconds: lane?.outageSeconds });
    const text = (await gateway.call('GET', '/metrics')).body;
    expect(text).toContain('gh_backlog_records{uplink="city",lane="L3"} 990\n');
    expect(text).toContain('gh_backlog_age_seconds{uplink="city",lane="L3"} 600\n');
    expect(text).toContain('gh_dropped_undelivered_total{uplink="city",lane="L1"} 0\n');
    expect(text).toContain('gh_dropped_total{lane="L3",reason="space"} 0\n');
    expect(text).toContain(`gh_outage_seconds{lane="L3"} ${lane?.outageSeconds}\n`);
    expect(text).toMatch(/^gh_storage_fill_ratio 0\.\d+$/m);
    expect(text).toContain('gh_storage_ballast 1\n');
  });

  test('the past of a point, as far as a role may look', async () => {
    await using store = await openTestStore();
    const start = store.clock.now();
    for (let day = 0; day < 3; day++) {
      await store.journal.append({ ...draftOf('L3', 0), device: 'station', data: day });
      await store.clock.advance(24 * HOUR);
    }
    await using gateway = await openTestGateway({ parts: { storage: () => store.storage, clock: store.clock } });
    const ask = async (as: 'platform' | 'guard', query: string) =>
      (
        await gateway.call('GET', `/api/v1/points/history?device=station&name=pm25${query}`, { as })
      ).json<PointHistory>();
    expect((await ask('platform', `&from=${start}`)).raw.map(({ value }) => value)).toEqual([0, 1, 2]);
    expect((await ask('guard', `&from=${start}`)).raw.map(({ value }) => value)).not.toContain(0);
    expect((await ask('platform', '')).raw.map(({ value }) => value)).toEqual([2]);
    expect((await gateway.call('GET', '/api/v1/points/history?device=station', { as: 'platform' })).status).toBe(400);
  });
});
