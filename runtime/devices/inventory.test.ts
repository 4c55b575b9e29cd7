import { describe, expect, test } from 'vitest';
import type { Vehicle } from '../contracts/api.ts';
import { GatehouseError } from '../errors.ts';
import { ACTOR, barrier, catalogue, furnish, openSite, type TestSite } from './inventory.fixture.ts';
import { Inventory, type InventoryChange } from './inventory.ts';

const refusal = (promise: Promise<unknown>): Promise<GatehouseError> =>
  promise.then(
    () => expect.unreachable('should have been refused'),
    (error: GatehouseError) => error,
  );
const audits = ({ journal }: TestSite) =>
  journal
    .read({ kind: ['audit'], limit: 500 })
    .items.map(({ name, device, data, actor }) => ({ name, device, data, actor }));

describe('entries', () => {
  test('what is entered is there after a restart, a device with scenario, role and driver', async () => {
    await using first = await openSite();
    await furnish(first.inventory);
    const schedule = { days: [1, 2, 3], from: '07:00', to: '19:00' };
    const vehicle: Vehicle = {
      plate: '粤B12345',
      kind: 'staff',
      person: 'zhang',
      note: '班车',
      validFrom: 1,
      validTo: 2,
      schedule,
      zones: ['east-in'],
    };
    await first.inventory.putVehicle(vehicle, ACTOR);
    await first.inventory.putSite(
      { id: 'demo', name: '示范小区', timeZone: 'Asia/Shanghai', network: { plainDevices: true } },
      ACTOR,
    );
    await first.inventory.putCredential(
      { id: 'card-1', kind: 'card', value: '0012345678', person: 'zhang', blocked: false },
      ACTOR,
    );
    await first.journal[Symbol.asyncDispose]();

    await using second = await openSite({ directory: first.directory });
    const { inventory } = second;
    expect(inventory.vehicle('粤B·12345')).toEqual(vehicle);
    expect(inventory.site()).toEqual({
      id: 'demo',
      name: '示范小区',
      timeZone: 'Asia/Shanghai',
      network: { plainDevices: true },
    });
    expect(inventory.credential('card-1')).toEqual({
      id: 'card-1',
      kind: 'card',
      value: '0012345678',
      person: 'zhang',
      blocked: false,
    });
    expect(inventory.credentialByValue('card', ' 0012345678 ')?.id).toBe('card-1');
    expect(inventory.credentialByValue('face', '0012345678')).toBeUndefined();
    const gate = inventory.device('gate-east-in');
    expect(gate).toMatchObject({
      scenario: 'vehicle-gate',
      role: 'barrier',
      zone: 'east-in',
      settings: {},
      cameras: [],
    });
    expect(gate?.driver.protocol).toBe('bus');
    expect(inventory.zonePath('east-in').map(({ id }) => id)).toEqual(['east-in', 'compound']);
    expect(inventory.isEmpty()).toBe(false);
  });

  test('every change is in the audit with who, before and after; names, phones and cards are covered', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    await inventory.putVehicle({ plate: '粤B 12345', kind: 'visitor', note: '张三丰的朋友' }, ACTOR);
    await inventory.putVehicle({ plate: '粤b12345', kind: 'blocked' }, 'user:wang');
    await inventory.putCredential({ id: 'card-1', kind: 'card', value: '0012345678', person: 'zhang' }, ACTOR);
    await inventory.deleteVehicle('粤B·12345', ACTOR);
    const all = audits(site);
    expect(all).toContainEqual({
      name: 'inventory.person.created',
      device: '',
      data: { id: 'zhang', after: { id: 'zhang', name: '张***', room: '3-1-1202', phone: '138***5678' } },
      actor: ACTOR,
    });
    expect(all.slice(-4)).toEqual([
      {
        name: 'inventory.vehicle.created',
        device: '',
        data: { id: '粤B12345', after: { plate: '粤B12345', kind: 'visitor', note: '***' } },
        actor: ACTOR,
      },
      {
        name: 'inventory.vehicle.updated',
        device: '',
        data: {
          id: '粤B12345',
          before: { plate: '粤B12345', kind: 'visitor', note: '***' },
          after: { plate: '粤B12345', kind: 'blocked' },
        },
        actor: 'user:wang',
      },
      {
        name: 'inventory.credential.created',
        device: '',
        data: { id: 'card-1', after: { id: 'card-1', kind: 'card', value: '***5678', person: 'zhang' } },
        actor: ACTOR,
      },
      {
        name: 'inventory.vehicle.deleted',
        device: '',
        data: { id: '粤B12345', before: { plate: '粤B12345', kind: 'blocked' } },
        actor: ACTOR,
      },
    ]);
    expect(all.filter(({ device }) => device === 'gate-east-in').map(({ name }) => name)).toEqual([
      'inventory.device.created',
    ]);
    expect(JSON.stringify(all)).not.toContain(inventory.secretOf('camera-east-in'));
  });

  test('storing the same again changes nothing and leaves no audit record', async () => {
    await using site = await openSite();
    await furnish(site.inventory);
    const before = site.journal.head();
    await furnish(site.inventory);
    expect(site.journal.head()).toEqual(before);
  });

  test('create refuses what exists, replace refuses what does not', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const input = barrier('gate-east-in', 'east-in', { host: '10.0.0.9' });
    expect(await refusal(inventory.putDevice(input, ACTOR, { create: true }))).toMatchObject({ code: 'device.exists' });
    expect(inventory.device('gate-east-in')?.address).toEqual({ host: '10.0.0.5' });
    const other = { ...input, id: 'gate-new' };
    expect(await refusal(inventory.putDevice(other, ACTOR, { create: false }))).toMatchObject({
      code: 'device.not_found',
    });
    expect(await refusal(inventory.putPerson({ id: 'zhang', name: 'x' }, ACTOR, { create: true }))).toMatchObject({
      code: 'inventory.conflict',
    });
    expect((await inventory.putDevice(input, ACTOR, { create: false })).address).toEqual({ host: '10.0.0.9' });
  });

  test('what others depend on is not deleted, and they are named', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    await inventory.putDevice(
      { ...barrier('gate-east-in', 'east-in', { host: '10.0.0.5' }), cameras: ['camera-east-in'] },
      ACTOR,
    );
    await inventory.putVehicle({ plate: '粤B12345', kind: 'resident', person: 'zhang', zones: ['west-in'] }, ACTOR);
    const tries: [Promise<unknown>, string][] = [
      [inventory.deleteZone('compound', ACTOR), 'east-in'],
      [inventory.deleteZone('west-in', ACTOR), '粤B12345'],
      [inventory.deletePerson('zhang', ACTOR), '粤B12345'],
      [inventory.deleteDevice('camera-east-in', ACTOR), 'gate-east-in'],
    ];
    for (const [attempt, user] of tries) {
      const error = await refusal(attempt);
      expect(error.code).toBe('inventory.in_use');
      expect(error.message).toContain(user);
    }
    await inventory.deleteVehicle('粤B12345', ACTOR);
    await inventory.deletePerson('zhang', ACTOR);
    await inventory.deleteDevice('gate-west-in', ACTOR);
    await inventory.deleteZone('west-in', ACTOR);
    expect(inventory.zone('west-in')).toBeUndefined();
    expect(await refusal(inventory.deletePerson('zhang', ACTOR))).toMatchObject({ code: 'inventory.not_found' });
    expect(await refusal(inventory.deleteDevice('gate-west-in', ACTOR))).toMatchObject({ code: 'device.not_found' });
  });
});

describe('what is refused', () => {
  test('two devices with one address, both named; also when both come at the same moment', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const error = await refusal(
      inventory.putDevice(barrier('gate-new', 'west-in', { host: '10.0.0.5', port: 502, unit: 1 }), ACTOR),
    );
    expect(error.code).toBe('device.address_taken');
    expect(error.message).toContain('gate-new');
    expect(error.message).toContain('gate-east-in');
    const both = await Promise.allSettled([
      inventory.putDevice(barrier('gate-a', 'west-in', { host: '10.0.0.7' }), ACTOR),
      inventory.putDevice(barrier('gate-b', 'west-in', { host: '10.0.0.7' }), ACTOR),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(both[1]).toMatchObject({ reason: { code: 'device.address_taken' } });
    expect(inventory.device('gate-b')).toBeUndefined();
    await inventory.putDevice(barrier('gate-b', 'west-in', { host: '10.0.0.7', unit: 2 }), ACTOR);
  });

  test('one serial line with two baud rates; a default counts as written out', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const on = (unit: number, more: object) => ({ transport: 'serial', path: '/dev/ttyS1', unit, ...more });
    await inventory.putDevice(barrier('one', 'west-in', on(1, {})), ACTOR);
    await inventory.putDevice(barrier('two', 'west-in', on(2, { baudRate: 9600, parity: 'none' })), ACTOR);
    const error = await refusal(inventory.putDevice(barrier('three', 'west-in', on(3, { baudRate: 19200 })), ACTOR));
    expect(error).toMatchObject({ code: 'device.invalid' });
    expect(error.message).toMatch(/three.*one.*serial:\/dev\/ttyS1.*baudRate.*19200.*9600/);
  });

  test('an address that does not fit its driver, with the path of the bad key', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const put = async (address: Record<string, unknown>) => {
      const error = await refusal(inventory.putDevice(barrier('gate-new', 'west-in', address), ACTOR));
      expect(error.code).toBe('device.invalid');
      return error.message;
    };
    expect(await put({ host: '10.0.0.9', unit: 300 })).toContain('address.unit: 300 is too large');
    expect(await put({ hots: '10.0.0.9' })).toContain('address.hots: unknown key `hots`');
    expect(await put({ host: 5 })).toContain('address.host: `5` is not text');
    expect(await put({ transport: 'serial', path: 'ttyS1' })).toContain('address.path');
    expect(await put({ transport: 'serail', path: '/dev/ttyS1' })).toContain('address.transport');
    expect(await put({})).toContain('`host` is missing');
    const talker = { id: 'cam', name: 'cam', zone: 'west-in', profile: 'acme/camera', address: { host: '1.2.3.4' } };
    expect((await refusal(inventory.putDevice(talker, ACTOR))).message).toContain('address.host: unknown key');
  });

  test('unknown profiles, zones, people and cameras', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const input = barrier('gate-new', 'west-in', { host: '10.0.0.9' });
    expect(await refusal(inventory.putDevice({ ...input, profile: 'acme/barier' }, ACTOR))).toMatchObject({
      code: 'device.profile_unknown',
      detail: { problems: [{ path: 'profile', remedy: { en: 'did you mean `acme/barrier`?' } }] },
    });
    expect((await refusal(inventory.putDevice({ ...input, zone: 'nowhere' }, ACTOR))).message).toContain(
      'no zone `nowhere`',
    );
    expect((await refusal(inventory.putDevice({ ...input, cameras: ['nope'] }, ACTOR))).message).toContain(
      'cameras[0]: no device `nope`',
    );
    expect(
      (await refusal(inventory.putVehicle({ plate: '粤B12345', kind: 'resident', person: 'nobody' }, ACTOR))).message,
    ).toContain('nobody');
    expect(
      (await refusal(inventory.putVehicle({ plate: '粤B12345', kind: 'resident', zones: ['nowhere'] }, ACTOR))).message,
    ).toContain('zones[0]');
    expect(
      (await refusal(inventory.putZone({ id: 'z', name: 'z', kind: 'area', parent: 'nowhere' }, ACTOR))).message,
    ).toContain('parent');
  });

  test('a zone above itself', async () => {
    await using site = await openSite();
    await furnish(site.inventory);
    const loop = site.inventory.putZone({ id: 'compound', name: '小区', kind: 'area', parent: 'east-in' }, ACTOR);
    expect((await refusal(loop)).message).toContain('its own ancestor');
    const own = site.inventory.putZone({ id: 'compound', name: '小区', kind: 'area', parent: 'compound' }, ACTOR);
    expect((await refusal(own)).message).toContain('its own ancestor');
  });

  test('bad ids, control characters, long and empty texts, odd plates, times and schedules', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const zone = (change: object) => inventory.putZone({ id: 'z', name: 'z', kind: 'area', ...change }, ACTOR);
    const vehicle = (change: object) => inventory.putVehicle({ plate: '粤B12345', kind: 'staff', ...change }, ACTOR);
    const schedule = { days: [1], from: '07:00', to: '19:00' };
    const attempts: [Promise<unknown>, string][] = [
      [zone({ id: 'Ost Tor' }), 'cannot be an id'],
      [zone({ id: '-a' }), 'cannot be an id'],
      [zone({ id: 'a'.repeat(64) }), 'cannot be an id'],
      [zone({ id: '../etc' }), 'cannot be an id'],
      [zone({ name: 'a\u0000b' }), 'U+0000'],
      [zone({ name: 'a\u009bb' }), 'U+009B'],
      [zone({ name: 'a\u202eb' }), 'U+202E'],
      [zone({ name: 'a\ud800b' }), 'U+D800'],
      [zone({ name: '字'.repeat(65) }), '65 characters, at most 64'],
      [zone({ name: 'x'.repeat(1_000_000) }), 'at most 64'],
      [zone({ name: '   ' }), 'may not be empty'],
      [zone({ kind: 'lnae' }), 'not one of the choices'],
      [zone({ colour: 'red' }), 'unknown key `colour`'],
      [vehicle({ plate: '_无_' }), 'not a plate'],
      [vehicle({ plate: "粤B'--" }), 'not a plate'],
      [vehicle({ plate: '·' }), 'not a plate'],
      [vehicle({ plate: '粤B'.repeat(9) }), 'at most 16'],
      [vehicle({ validFrom: 5, validTo: 5 }), 'ends before it begins'],
      [vehicle({ validTo: -1 }), 'not a date or a time'],
      [vehicle({ validTo: 8.64e15 }), 'not a date or a time'],
      [vehicle({ validTo: 1.5 }), 'not a whole number'],
      [vehicle({ schedule: { ...schedule, days: [] } }), 'no days'],
      [vehicle({ schedule: { ...schedule, days: [8] } }), 'too large'],
      [vehicle({ schedule: { ...schedule, to: '24:01' } }), 'not a time of day'],
      [vehicle({ schedule: { ...schedule, from: '24:00' } }), 'not a time of day'],
      [vehicle({ schedule: { ...schedule, from: '7:00' } }), 'not a time of day'],
      [vehicle({ zones: [] }), 'may not be empty'],
      [inventory.putSite({ id: 's', name: 's', timeZone: 'Asia/Shanghi' }, ACTOR), 'unknown time zone'],
      [
        inventory.putDevice({ ...barrier('g', 'east-in', { host: 'h' }), settings: { 'a b': 1 } }, ACTOR),
        'settings.a b',
      ],
      [inventory.putDevice({ ...barrier('g', 'east-in', { host: 'h\n' }) }, ACTOR), 'U+000A'],
    ];
    const head = site.journal.head();
    for (const [attempt, text] of attempts) {
      const error = await refusal(attempt);
      expect(error.message).toContain(text);
      expect(error.message.length).toBeLessThan(400);
      expect(['inventory.invalid', 'device.invalid']).toContain(error.code);
    }
    expect(site.journal.head()).toEqual(head);
  });

  test('an alarm limit that is no number', async () => {
    await using site = await openSite();
    await furnish(site.inventory);
    const input = { id: 'station', name: 's', zone: 'compound', profile: 'acme/station', address: { host: 'h' } };
    const alarm = Object.entries(
      (await import('../contracts/environment-monitoring.ts')).environmentMonitoring.alarms,
    ).find(([, kind]) => 'when' in kind && !('equals' in kind.when))?.[0];
    const error = await refusal(site.inventory.putDevice({ ...input, settings: { [`${alarm}`]: 'high' } }, ACTOR));
    expect(error.message).toContain(`settings.${alarm}: \`high\` is not a number`);
    expect((await site.inventory.putDevice({ ...input, settings: { [`${alarm}`]: 35 } }, ACTOR)).settings).toEqual({
      [`${alarm}`]: 35,
    });
  });

  test('the same card for two people', async () => {
    await using site = await openSite();
    await furnish(site.inventory);
    await site.inventory.putCredential({ id: 'card-1', kind: 'card', value: '1234', person: 'zhang' }, ACTOR);
    const again = site.inventory.putCredential({ id: 'card-2', kind: 'card', value: ' 1234', person: 'zhang' }, ACTOR);
    expect(await refusal(again)).toMatchObject({ code: 'inventory.conflict' });
    await site.inventory.putCredential({ id: 'card-2', kind: 'qr', value: '1234', person: 'zhang' }, ACTOR);
  });

  test('a password written into an uplink', async () => {
    await using site = await openSite();
    const put = (uplink: object) =>
      refusal(
        site.inventory.putSite(
          { id: 's', name: 's', timeZone: 'UTC', uplinks: [{ id: 'up', url: 'mqtts://up:8883', ...uplink }] },
          ACTOR,
        ),
      );
    expect((await put({ password: 'hunter2' })).message).toContain('a password in plain text');
    expect((await put({ url: 'mqtts://u:hunter2@up:8883' })).message).toContain('a password in plain text');
    expect((await put({ url: 'http://up' })).message).toContain('not the address of a broker');
    expect((await put({ filter: { scenarios: ['vehicle-gat'] } })).message).toContain('no scenario');
    expect((await put({ password: 'hunter2' })).message).not.toContain('hunter2');
  });

  test('what looks like SQL is only text', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const nasty = ["'; DROP TABLE vehicle; --", '" OR 1=1 --', '%', '_', '\\', "zhang' OR '1'='1", 'NULL'];
    for (const text of nasty) {
      await inventory.putPerson({ id: 'p', name: text }, ACTOR);
      expect(inventory.person('p')?.name).toBe(text);
      expect(inventory.people({ q: text }).map(({ id }) => id)).toContain('p');
      expect(inventory.vehicle(text)).toBeUndefined();
      expect(inventory.person(text)).toBeUndefined();
      expect(inventory.device(text)).toBeUndefined();
      expect(inventory.credentialByValue(text, text)).toBeUndefined();
      expect(inventory.vehicles({ q: text, person: text, after: text })).toEqual([]);
    }
    expect(inventory.people({ q: '%' }).map(({ id }) => id)).toEqual([]);
    expect(inventory.people()).toHaveLength(2);
  });
});

describe('many at once', () => {
  test('two devices swap their addresses in one change, and a failing one changes nothing', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const swap = await inventory.putAll(
      [
        { kind: 'device', entry: barrier('gate-east-in', 'east-in', { host: '10.0.0.6' }) },
        { kind: 'device', entry: barrier('gate-west-in', 'west-in', { host: '10.0.0.5' }) },
      ],
      ACTOR,
    );
    expect(swap).toMatchObject({ problems: [], created: 0, updated: 2 });
    expect(inventory.device('gate-east-in')?.address).toEqual({ host: '10.0.0.6' });
    const head = site.journal.head();
    const bad = await inventory.putAll(
      [
        { kind: 'person', entry: { id: 'new', name: 'new' } },
        { kind: 'vehicle', entry: { plate: '粤B1', kind: 'nonsense' } },
        { kind: 'vehicle', entry: { plate: '粤B12345', kind: 'resident' } },
        { kind: 'vehicle', entry: { plate: '粤B·12345', kind: 'blocked' } },
      ],
      ACTOR,
    );
    expect(bad.problems.map(({ what, index }) => [what, index])).toEqual([
      ['notAllowed', 1],
      ['repeated', 3],
    ]);
    expect(inventory.person('new')).toBeUndefined();
    expect(site.journal.head()).toEqual(head);
  });

  test('listeners hear each transaction once, after it is stored, with the device before and after', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const heard: (readonly InventoryChange[])[] = [];
    const stop = inventory.onChange((changes) => {
      heard.push(changes);
      for (const change of changes)
        if (change.kind === 'device') expect(inventory.device(change.id)).toBe(change.after);
    });
    await inventory.putDevice(barrier('gate-east-in', 'east-in', { host: '10.0.0.9' }), ACTOR);
    await inventory.putDevice(barrier('gate-east-in', 'east-in', { host: '10.0.0.9' }), ACTOR);
    await inventory.deleteDevice('gate-east-in', ACTOR);
    await refusal(inventory.putZone({ id: '!', name: 'x', kind: 'area' }, ACTOR));
    stop();
    await inventory.putZone({ id: 'after', name: 'x', kind: 'area' }, ACTOR);
    expect(heard).toMatchObject([
      [
        {
          kind: 'device',
          id: 'gate-east-in',
          before: { address: { host: '10.0.0.5' } },
          after: { address: { host: '10.0.0.9' } },
        },
      ],
      [{ kind: 'device', id: 'gate-east-in', before: { address: { host: '10.0.0.9' } } }],
    ]);
    expect(heard[1]?.[0]).not.toHaveProperty('after');
  });

  test('5,000 devices are listed by scenario, zone and text', async () => {
    await using site = await openSite();
    const { inventory } = site;
    await furnish(inventory);
    const entries = Array.from({ length: 5000 }, (_, n) => ({
      kind: 'device' as const,
      entry: barrier(`gate-${String(n).padStart(4, '0')}`, n % 2 ? 'east-in' : 'west-in', {
        host: `10.1.${n >> 8}.${n & 255}`,
      }),
    }));
    expect(await inventory.putAll(entries, ACTOR)).toMatchObject({ problems: [], created: 5000 });
    expect(inventory.devices()).toHaveLength(5003);
    expect(inventory.devices({ zone: 'compound' })).toHaveLength(5003);
    expect(inventory.devices({ zone: 'east-in', scenario: 'vehicle-gate', role: 'barrier' })).toHaveLength(2501);
    expect(inventory.devices({ q: 'GATE-004' })).toHaveLength(10);
    expect(inventory.devices({ q: 'gate-004' }).map(({ id }) => id)).toEqual(
      Array.from({ length: 10 }, (_, n) => `gate-004${n}`),
    );
    expect(inventory.siteView().inZone('east-in', 'vehicle-gate')).toHaveLength(2502);
    const again = await inventory.putAll(entries, ACTOR);
    expect(again).toMatchObject({ created: 0, updated: 0, unchanged: 5000 });
  });
});

describe('secrets', () => {
  test('a device that speaks first has one, 128 bits, kept through changes and restarts; the others have none', async () => {
    await using site = await openSite();
    await furnish(site.inventory);
    const secret = site.inventory.secretOf('camera-east-in') ?? '';
    expect(Buffer.from(secret, 'base64url')).toHaveLength(16);
    expect(site.inventory.secretOf('gate-east-in')).toBeUndefined();
    await site.inventory.putDevice(
      { id: 'camera-east-in', name: 'renamed', zone: 'west-in', profile: 'acme/camera' },
      ACTOR,
    );
    expect(site.inventory.secretOf('camera-east-in')).toBe(secret);
    expect(Inventory.open(site.journal, catalogue).secretOf('camera-east-in')).toBe(secret);
    expect(site.inventory.checkSecret('camera-east-in', secret)).toBe(true);
    for (const wrong of ['', 'x', secret.slice(0, -1), `${secret}x`, `${secret.slice(0, -1)}!`]) {
      expect(site.inventory.checkSecret('camera-east-in', wrong)).toBe(false);
    }
    expect(site.inventory.checkSecret('gate-east-in', '')).toBe(false);
    expect(site.inventory.checkSecret('nobody', '')).toBe(false);
    await site.inventory.deleteDevice('camera-east-in', ACTOR);
    await site.inventory.putDevice(
      { id: 'camera-east-in', name: 'new', zone: 'west-in', profile: 'acme/camera' },
      ACTOR,
    );
    expect(site.inventory.secretOf('camera-east-in')).not.toBe(secret);
  });
});

test('a device whose profile is gone is set aside with the reason, and can be repaired or deleted', async () => {
  await using site = await openSite();
  await furnish(site.inventory);
  const less = new Map([...catalogue.profiles].filter(([id]) => id !== 'acme/barrier'));
  const inventory = Inventory.open(site.journal, { ...catalogue, profiles: less });
  expect(inventory.device('gate-east-in')).toBeUndefined();
  expect(inventory.devices().map(({ id }) => id)).toEqual(['camera-east-in']);
  expect(inventory.unusableDevices().map(({ input, reason }) => [input.id, reason])).toEqual([
    ['gate-east-in', 'no firmware profile `acme/barrier`'],
    ['gate-west-in', 'no firmware profile `acme/barrier`'],
  ]);
  await inventory.deleteDevice('gate-west-in', ACTOR);
  const input = inventory.deviceInput('gate-east-in');
  if (!input) return expect.unreachable();
  await inventory.putDevice({ ...input, profile: 'acme/station' }, ACTOR);
  expect(inventory.device('gate-east-in')?.scenario).toBe('environment-monitoring');
  expect(inventory.unusableDevices()).toEqual([]);
});

test('lists page by key and find parts of plates, names, rooms and notes', async () => {
  await using site = await openSite();
  const { inventory } = site;
  await furnish(inventory);
  await inventory.putAll(
    Array.from({ length: 250 }, (_, n) => ({
      kind: 'vehicle' as const,
      entry: { plate: `粤B${10_000 + n}`, kind: 'resident' },
    })),
    ACTOR,
  );
  await inventory.putVehicle({ plate: '京A88888', kind: 'visitor', person: 'zhang', note: '送货' }, ACTOR);
  const plates = (query: Parameters<Inventory['vehicles']>[0]) => inventory.vehicles(query).map(({ plate }) => plate);
  expect(plates({})).toHaveLength(100);
  const all: string[] = [];
  for (let page = plates({ limit: 99 }); page.length > 0; page = plates({ limit: 99, after: page.at(-1) ?? '' }))
    all.push(...page);
  expect(all).toHaveLength(251);
  expect(new Set(all).size).toBe(251);
  expect(plates({ q: 'b·1024' })).toHaveLength(10);
  expect(plates({ q: '张三' })).toEqual(['京A88888']);
  expect(plates({ q: '1202' })).toEqual(['京A88888']);
  expect(plates({ q: '送货' })).toEqual(['京A88888']);
  expect(plates({ person: 'zhang' })).toEqual(['京A88888']);
  expect(plates({ limit: 1e9 })).toHaveLength(251);
  expect(plates({ limit: -5 })).toHaveLength(1);
  expect(inventory.people({ q: '5678' }).map(({ id }) => id)).toEqual(['zhang']);
});

describe('when the journal fails', () => {
  const broken = new GatehouseError('journal.write', 'the disk is gone');

  test('a change that did not reach the file is not there, and the next one works', async () => {
    await using site = await openSite();
    await furnish(site.inventory);
    let fails = true;
    const inventory = Inventory.open(
      { db: site.journal.db, commit: (unit) => (fails ? Promise.reject(broken) : site.journal.commit(unit)) },
      catalogue,
    );
    const moved = barrier('gate-east-in', 'east-in', { host: '10.0.0.9' });
    expect(await refusal(inventory.putDevice(moved, ACTOR))).toBe(broken);
    expect(inventory.device('gate-east-in')?.address).toEqual({ host: '10.0.0.5' });
    fails = false;
    expect((await inventory.putDevice(moved, ACTOR)).address).toEqual({ host: '10.0.0.9' });
  });

  test('a change that reached the file although the commit reported an error counts, and is told', async () => {
    await using site = await openSite();
    await furnish(site.inventory);
    const inventory = Inventory.open(
      { db: site.journal.db, commit: (unit) => site.journal.commit(unit).then(() => Promise.reject(broken)) },
      catalogue,
    );
    const heard: string[] = [];
    inventory.onChange((changes) => heard.push(...changes.map(({ id }) => id)));
    expect(await refusal(inventory.deleteDevice('gate-east-in', ACTOR))).toBe(broken);
    expect(inventory.device('gate-east-in')).toBeUndefined();
    expect(heard).toEqual(['gate-east-in']);
  });
});

test('a device names the one in front of it: known, not itself, and kept while somebody is behind it', async () => {
  await using site = await openSite();
  await furnish(site.inventory);
  const { inventory } = site;
  const put = (id: string, port: number, parent?: string) =>
    inventory.putDevice(
      { ...barrier(id, 'east-in', { host: '10.0.0.9', port }), ...(parent === undefined ? {} : { parent }) },
      ACTOR,
    );
  await put('switch-1', 101);
  await put('gate-behind', 102, 'switch-1');
  expect(inventory.device('gate-behind')?.parent).toBe('switch-1');
  expect(await refusal(put('gate-behind', 102, 'nothing'))).toMatchObject({ code: 'device.invalid' });
  expect((await refusal(put('switch-1', 101, 'gate-behind'))).message).toContain('behind this device itself');
  expect(await refusal(inventory.deleteDevice('switch-1', ACTOR))).toMatchObject({ code: 'inventory.in_use' });
});
