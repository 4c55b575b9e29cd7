import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { driverOf } from '../../drivers/index.ts';
import { createAccess } from '../access/access.ts';
import { systemClock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { ACTOR, openSite, type TestSite } from './inventory.fixture.ts';
import { Inventory } from './inventory.ts';
import { loadProfiles } from './profiles.ts';
import { importSite, loadSiteFile, problemText, type SiteProblem } from './site-file.ts';

const SITE = `site: { id: test, name: 测试小区, timeZone: Asia/Shanghai }
network: { plainDevices: true }
uplinks:
  - { id: street, url: 'mqtts://street.example:8883', password: { env: STREET }, filter: { lanes: [L0, L1] } }
zones:
  - { id: all, name: 小区, kind: area }
  - { id: east-in, name: 东门进, kind: lane, parent: all }
devices:
  - id: gate-east-in
    name: 东门进道闸
    zone: east-in
    profile: acme/barrier
    address: { host: 10.0.0.5, port: 502 }
    settings: { direction: in }
    cameras: [camera-east-in]
  - { id: camera-east-in, name: 相机, zone: east-in, profile: acme/camera }
people:
  - { id: zhang, name: 张三, room: 1202, phone: 13812345678 }
vehicles:
  - { plate: 粤B·12345, kind: resident, person: zhang }
  - { plate: 粤B·22222, kind: visitor, validFrom: 2026-05-01, validTo: 2026-05-03, zones: [all] }
credentials:
  - { id: card-1, kind: card, value: 0012345678, person: zhang }
`;
const file = (text: string | Uint8Array) => ({
  name: 'site.yaml',
  bytes: typeof text === 'string' ? new TextEncoder().encode(text) : text,
});
async function problemsOf({ inventory, journal }: TestSite, text: string | Uint8Array): Promise<string[]> {
  const head = journal.head();
  const error = await importSite(inventory, file(text), ACTOR).then(
    () => expect.unreachable('should have been refused'),
    (reason: GatehouseError) => reason,
  );
  expect(error).toBeInstanceOf(GatehouseError);
  expect(error.code).toBe('site.invalid');
  expect(error.message.length).toBeLessThan(2500);
  expect(journal.head(), 'nothing was changed').toEqual(head);
  const { problems } = error.detail as { problems: SiteProblem[] };
  for (const { what, remedy } of problems) {
    for (const words of [what, remedy]) {
      expect(`${words.zh}${words.en}`).not.toMatch(/\{\w+\}|undefined/);
      expect(words.zh).not.toBe(words.en);
    }
  }
  return problems.map((problem) => problemText(problem, 'en'));
}
/** The site with one text in it replaced. */
const but = (from: string, to: string): string => {
  expect(SITE).toContain(from);
  return SITE.replace(from, to);
};

describe('a good file', () => {
  test('is imported whole, in one transaction with its audit; numbers written as text stay text', async () => {
    await using site = await openSite();
    const { inventory, journal } = site;
    let transactions = 0;
    inventory.onChange(() => transactions++);
    expect(await importSite(inventory, file(SITE), ACTOR)).toEqual({ created: 9, updated: 0, unchanged: 0 });
    expect(transactions).toBe(1);
    expect(inventory.site()).toEqual({
      id: 'test',
      name: '测试小区',
      timeZone: 'Asia/Shanghai',
      network: { plainDevices: true },
      uplinks: [
        {
          id: 'street',
          url: 'mqtts://street.example:8883',
          password: { env: 'STREET' },
          filter: { lanes: ['L0', 'L1'] },
        },
      ],
    });
    expect(inventory.device('gate-east-in')).toMatchObject({
      address: { host: '10.0.0.5', port: 502 },
      settings: { direction: 'in' },
    });
    expect(inventory.person('zhang')).toEqual({ id: 'zhang', name: '张三', room: '1202', phone: '13812345678' });
    expect(inventory.credential('card-1')?.value).toBe('0012345678');
    expect(inventory.vehicle('粤B22222')).toEqual({
      plate: '粤B22222',
      kind: 'visitor',
      validFrom: Date.parse('2026-05-01T00:00+08:00'),
      validTo: Date.parse('2026-05-04T00:00+08:00'),
      zones: ['all'],
    });
    const { items } = journal.read({ kind: ['audit'] });
    expect(items).toHaveLength(10);
    expect(items.at(-1)).toMatchObject({
      name: 'inventory.site.imported',
      actor: ACTOR,
      data: {
        file: 'site.yaml',
        created: 9,
        updated: 0,
        unchanged: 0,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    });
  });

  test('asks for more room and longer keeping in its section storage', async () => {
    await using site = await openSite();
    await importSite(site.inventory, file(SITE), ACTOR);
    await importSite(site.inventory, file('storage: { gigabytes: 20, readingDays: 60 }'), ACTOR);
    expect(site.inventory.site()).toMatchObject({
      name: '测试小区',
      storage: { gigabytes: 20, readingDays: 60 },
    });
  });

  test('changes nothing the second time, and only what differs the third; what it does not name stays', async () => {
    await using site = await openSite();
    const { inventory, journal } = site;
    await importSite(inventory, file(SITE), ACTOR);
    await inventory.putVehicle({ plate: '粤B33333', kind: 'visitor' }, ACTOR);
    const head = journal.head();
    const secret = inventory.secretOf('camera-east-in');
    expect(await importSite(inventory, file(SITE), ACTOR)).toEqual({ created: 0, updated: 0, unchanged: 9 });
    expect(journal.head()).toEqual(head);
    const changed = SITE.replace('10.0.0.5', '10.0.0.6').replaceAll('\n', '\r\n');
    expect(await importSite(inventory, file(`\ufeff${changed}`), ACTOR)).toEqual({
      created: 0,
      updated: 1,
      unchanged: 8,
    });
    expect(inventory.device('gate-east-in')?.address).toEqual({ host: '10.0.0.6', port: 502 });
    expect(inventory.vehicle('粤B33333')?.kind).toBe('visitor');
    expect(inventory.secretOf('camera-east-in')).toBe(secret);
    expect(
      await importSite(inventory, file('vehicles:\n  - { plate: 粤B33333, kind: blocked }\n'), ACTOR),
    ).toMatchObject({ updated: 1 });
    expect(inventory.site().uplinks).toHaveLength(1);
    expect(await importSite(inventory, file('network: { plainDevices: false }\n'), ACTOR)).toMatchObject({
      updated: 1,
    });
    expect(inventory.site()).toMatchObject({
      id: 'test',
      network: { plainDevices: false },
      uplinks: [{ id: 'street' }],
    });
  });
});

describe('each mistake is named with line, column, key and remedy', () => {
  test.each([
    [
      'a misspelt key',
      'address: { host',
      'adress: { host',
      'site.yaml:13:5 devices[0].adress: unknown key `adress` – did you mean `address`?',
    ],
    [
      'a misspelt key of the file',
      'vehicles:',
      'vehicels:',
      'site.yaml:19:1 vehicels: unknown key `vehicels` – did you mean `vehicles`?',
    ],
    [
      'users in the file',
      'people:',
      'users: []\npeople:',
      'site.yaml:17:1 users: unknown key `users` – keys that exist here: site, network, uplinks, storage, alarms, location, calendar, linkages, zones, devices, people, vehicles, credentials',
    ],
    [
      'keeping less than must be kept',
      'zones:',
      'storage: { gigabytes: 4, factDays: 90 }\nzones:',
      'site.yaml:5:36 storage.factDays: 90 is too small, at least 183 – use 183 or more',
    ],
    [
      'a disk too small',
      'zones:',
      'storage: { gigabytes: 1 }\nzones:',
      'site.yaml:5:23 storage.gigabytes: 1 is too small, at least 2 – use 2 or more',
    ],
    ['a missing key', 'name: 东门进道闸\n    ', '', 'site.yaml:9:5 devices[0]: `name` is missing – add `name: …`'],
    [
      'a wrong choice',
      'kind: lane',
      'kind: lnae',
      'site.yaml:7:37 zones[1].kind: `lnae` is not one of the choices – did you mean `lane`?',
    ],
    [
      'an escalation out of order',
      'zones:',
      'alarms: { escalation: { p2: [{ afterSeconds: 60, to: [manager] }, { afterSeconds: 30, to: [sms] }] } }\nzones:',
      'site.yaml:5:83 alarms.escalation.p2[1].afterSeconds: the steps of an escalation are not in the order of their times',
    ],
    [
      'an urgent alarm that waits too long',
      'zones:',
      'alarms: { escalation: { p1: [{ afterSeconds: 90, to: [manager] }] } }\nzones:',
      'alarms.escalation.p1[0].afterSeconds: the first step of priority 1 comes after 90 s, at most 60 – use 60 or less',
    ],
    [
      'somebody nobody knows',
      'zones:',
      'alarms: { escalation: { p2: [{ afterSeconds: 60, to: [boss] }] } }\nzones:',
      'alarms.escalation.p2[0].to[0]: `boss` is not one of the choices',
    ],
    [
      'a booth of an unknown zone',
      'zones:',
      'alarms: { booths: [{ id: east, zones: [west-in] }] }\nzones:',
      'alarms.booths[0].zones[0]: no zone `west-in`',
    ],
    [
      'a fire that acts in an unknown zone',
      'zones:',
      'linkages: [{ id: L02, from: [east-in], to: [west-in] }]\nzones:',
      'linkages[0].to[0]: no zone `west-in`',
    ],
    [
      'a linkage that has no part of the compound, or is to be off',
      'zones:',
      'linkages: [{ id: L18, from: [east-in], to: [east-in] }]\nzones:',
      'linkages[0].id: `L18` is not one of the choices',
    ],
    [
      'an unknown switch in front of a device',
      'zone: east-in\n',
      'zone: east-in\n    parent: switch-9\n',
      'devices[0].parent: no device `switch-9` – `parent` is the switch, bus or recorder in front of it',
    ],
    [
      'an unknown zone',
      'zone: east-in\n',
      'zone: west-in\n',
      'site.yaml:11:11 devices[0].zone: no zone `west-in` – add it to the zones or correct the id',
    ],
    [
      'an unknown profile',
      'acme/barrier',
      'acme/barriere',
      'site.yaml:12:14 devices[0].profile: no firmware profile `acme/barriere` – did you mean `acme/barrier`?',
    ],
    [
      'a bad port',
      'port: 502',
      'port: five',
      'site.yaml:13:38 devices[0].address.port: `five` is not a whole number – write a whole number here',
    ],
    ['a bad id', 'id: card-1', 'id: Card 1', 'site.yaml:23:11 credentials[0].id: `Card 1` cannot be an id'],
    [
      'an unknown person',
      'resident, person: zhang',
      'resident, person: zhagn',
      'site.yaml:20:48 vehicles[0].person: no person `zhagn`',
    ],
    [
      'a bad date',
      '2026-05-03',
      '2026-02-30',
      'site.yaml:21:71 vehicles[1].validTo: `2026-02-30` is not a date or a time',
    ],
    [
      'a number as date',
      '2026-05-03',
      '20260503',
      'site.yaml:21:71 vehicles[1].validTo: `20260503` is not a date or a time',
    ],
    ['an end before the beginning', '2026-05-03', '2026-04-03', 'vehicles[1].validTo: validity ends before it begins'],
    [
      'a bad time zone',
      'Asia/Shanghai',
      'Asia/Shangai',
      'site.yaml:1:41 site.timeZone: unknown time zone `Asia/Shangai`',
    ],
    ['a password', '{ env: STREET }', 'hunter2', 'uplinks[0].password: a password in plain text'],
    ['a list that is none', 'people:\n  - {', 'people:\n  x: {', 'site.yaml:18:3 people: `{…}` is not a list'],
    [
      'network inside site',
      'site: { id: test,',
      'site: { id: test, network: {},',
      'site.network: unknown key `network`',
    ],
    ['an alias', 'name: 张三', 'name: *name', 'site.yaml:18:24 people[0].name: a YAML reference'],
    ['a tag', 'name: 张三', 'name: !!binary aGk=', 'people[0].name: a YAML tag tag:yaml.org,2002:binary'],
    [
      'a key twice',
      'room: 1202',
      'name: 李四',
      'site.yaml:18:28 people[0].name: key `name` is there twice, first in line 18',
    ],
    [
      'a tab',
      '    zone: east-in',
      '\tzone: east-in',
      'site.yaml:11:1 a tab in the indentation – indent with spaces only',
    ],
    ['a wrong indentation', '    zone: east-in', '   zone: east-in', 'site.yaml:11:'],
    ['an open bracket', 'port: 502 }', 'port: 502', 'site.yaml:14:'],
    [
      'an open quote',
      "'mqtts://street.example:8883'",
      "'mqtts://street.example:8883",
      'a quote, bracket or `-` is missing here',
    ],
    [
      'a control character',
      'name: 张三',
      'name: "张\\u0007三"',
      'people[0].name: the text holds an invisible control character U+0007',
    ],
    ['a bad plate', '粤B·12345', '粤B12?45', 'vehicles[0].plate: `粤B12?45` is not a plate'],
    [
      'a very long text',
      '东门进道闸',
      'x'.repeat(1_000_000),
      'devices[0].name: text too long: 1000000 characters, at most 64',
    ],
    [
      'a prototype key',
      'settings: { direction: in }',
      'settings: { __proto__: 1 }',
      'devices[0].settings.__proto__: `__proto__` has the wrong form',
    ],
    ['a prototype key of the file', 'people:', 'constructor: 1\npeople:', 'unknown key `constructor`'],
  ])('%s', async (_, from, to, expected) => {
    await using site = await openSite();
    const problems = await problemsOf(site, but(from, to));
    expect(
      problems.some((text) => text.includes(expected)),
      problems.join('\n'),
    ).toBe(true);
    expect(problems).toHaveLength(1);
  });

  test('ids and plates that are there twice, with the line of the first', async () => {
    await using site = await openSite();
    const twice = `${SITE.replace('people:', 'people:\n  - { id: zhang, name: 另一人 }')}  - { id: card-1, kind: face, value: x, person: zhang }\n`;
    expect(await problemsOf(site, twice)).toEqual([
      'site.yaml:19:5 people[1]: `zhang` is there twice, first in line 18 – change the id or delete one',
      'site.yaml:25:5 credentials[1]: `card-1` is there twice, first in line 24 – change the id or delete one',
    ]);
    expect(await problemsOf(site, but('粤B·22222', '粤b 12345'))).toEqual([
      'site.yaml:21:5 vehicles[1]: `粤B12345` is there twice, first in line 20 – change the id or delete one',
    ]);
  });

  test('two devices with one address: both named, at the later one', async () => {
    await using site = await openSite();
    const second = `  - { id: gate-two, name: 二号, zone: east-in, profile: acme/barrier, address: { host: 10.0.0.5, unit: 1 } }\npeople:`;
    expect(await problemsOf(site, but('people:', second))).toEqual([
      'site.yaml:17:78 devices[2].address: `gate-two` and `gate-east-in` have the same address: bus:10.0.0.5:502/1 – give one of them another address or unit number',
    ]);
  });

  test('several mistakes are told together, in the order of the file, in both languages', async () => {
    await using site = await openSite();
    const many = SITE.replace('kind: lane', 'kind: road')
      .replace('host:', 'hots:')
      .replace('2026-05-03', 'soon')
      .replace('people:', 'peopel:');
    const told = await problemsOf(site, many);
    expect(told.map((text) => text.split(' ')[0])).toEqual([
      'site.yaml:7:37',
      'site.yaml:13:16',
      'site.yaml:17:1',
      'site.yaml:21:71',
    ]);
    const error = await importSite(site.inventory, file(many), ACTOR).catch((reason: GatehouseError) => reason);
    const { problems } = (error as GatehouseError).detail as { problems: SiteProblem[] };
    expect(problemText(problems[1] as SiteProblem, 'zh')).toBe(
      'site.yaml:13:16 devices[0].address.hots: 不认识的键“hots” – 是不是“host”？',
    );
  });

  test('a file of another site is refused where one is already', async () => {
    await using site = await openSite();
    await importSite(site.inventory, file(SITE), ACTOR);
    expect(await problemsOf(site, but('id: test', 'id: other'))).toEqual([
      'site.yaml:1:13 site.id: this is site `test`, the file says `other` – use another data directory or correct site.id',
    ]);
  });
});

describe('files that are no site file', () => {
  test.each([
    ['empty', '', 'the file is empty'],
    ['only a comment', '# later\n', 'the file is empty'],
    ['a word', 'hello\n', 'does not consist of'],
    ['a list', '- a\n- b\n', 'does not consist of'],
    ['without a site', 'zones: []\n', '`site` is missing'],
    ['a site that is text', 'site: demo\n', 'site: `demo` is not a group'],
    ['two documents', 'site: {}\n---\nsite: {}\n', 'several documents'],
    ['a mapping as key', '? { a: 1 }\n: 2\n', 'this key is not text'],
    ['a merge key', 'site: &s { id: a }\nzones:\n  - { <<: *s }\n', 'a YAML reference'],
    ['a million closing braces', '}'.repeat(1_000_000), 'site.yaml:1:1'],
    ['deep brackets', `site: ${'['.repeat(30)}${']'.repeat(30)}`, 'nested too deeply'],
    ['very deep brackets', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'nested too deeply'],
    ['a bare megabyte', 'x'.repeat(1_000_000), 'does not consist of'],
    ['more than the limit', `# ${'x'.repeat(5 << 20)}`, 'the file has 5.0 MiB, at most 4 MiB'],
  ])('%s', async (_, text, expected) => {
    await using site = await openSite();
    const problems = await problemsOf(site, text);
    expect(
      problems.some((problem) => problem.includes(expected)),
      problems.join('\n'),
    ).toBe(true);
    expect(problems.length).toBeLessThanOrEqual(100);
  });

  test('a billion laughs', async () => {
    await using site = await openSite();
    const levels = Array.from({ length: 9 }, (_, n) => `l${n + 1}: &l${n + 1} [${Array(9).fill(`*l${n}`).join(', ')}]`);
    const problems = await problemsOf(site, `l0: &l0 lol\n${levels.join('\n')}\n`);
    expect(problems[0]).toContain('site.yaml:2:10 l1[0]: a YAML reference');
  });

  test('GBK, UTF-16 and a picture', async () => {
    await using site = await openSite();
    const gbk = Uint8Array.from([0x73, 0x69, 0x74, 0x65, 0x3a, 0x20, 0xd0, 0xa1, 0xc7, 0xf8]);
    for (const bytes of [
      gbk,
      Uint8Array.from(Buffer.from('\ufeffsite: a', 'utf16le')),
      Uint8Array.from([0xff, 0xd8, 0xff, 0xe0]),
    ]) {
      expect((await problemsOf(site, bytes))[0]).toContain('the file is not UTF-8 – save it as UTF-8');
    }
  });

  test('a file that is not there, or a directory', async () => {
    await using site = await openSite();
    expect(() => loadSiteFile(join(site.directory, 'none.yaml'))).toThrow(
      expect.objectContaining({ code: 'site.unreadable' }),
    );
    const folder = join(site.directory, 'folder.yaml');
    mkdirSync(folder);
    expect(() => loadSiteFile(folder)).toThrow(expect.objectContaining({ code: 'site.unreadable' }));
    rmSync(folder, { recursive: true });
    writeFileSync(join(site.directory, 'site.yaml'), SITE);
    expect(loadSiteFile(join(site.directory, 'site.yaml'))).toEqual(file(Buffer.from(SITE)));
  });
});

describe('the demo compound', () => {
  const demo = () => loadSiteFile(fileURLToPath(new URL('../demo/demo-site.yaml', import.meta.url)));

  test('is a good site file for the profiles and drivers we ship, twice', async () => {
    await using site = await openSite();
    const inventory = Inventory.open(site.journal, { profiles: loadProfiles(), driverOf });
    await importSite(inventory, demo(), ACTOR);
    expect(inventory.devices().map(({ id, role }) => `${id} ${role}`)).toEqual([
      'broadcast-garden amplifier',
      'camera-east-in camera',
      'camera-east-out camera',
      'charging-garage zone',
      'charging-shed zone',
      'door-b3-1 door',
      'ebike-guard-b3-1 guard',
      'elevator-b3-1 car',
      'fire-panel panel',
      'gas-b3-1-502 detector',
      'gate-east-in barrier',
      'gate-east-out barrier',
      'siren-b3-1 siren',
      'smoke-b3-1-5f detector',
      'station-garden station',
      'zone-east-2 zone',
    ]);
    expect(
      inventory
        .devices()
        .filter(({ id }) => inventory.secretOf(id) !== undefined)
        .map(({ id }) => id),
    ).toEqual(['camera-east-in', 'camera-east-out', 'smoke-b3-1-5f']);
    expect(await importSite(inventory, demo(), ACTOR)).toMatchObject({ created: 0, updated: 0 });
  });

  test('has vehicles for every answer of the access decision', async () => {
    await using site = await openSite();
    const inventory = Inventory.open(site.journal, { profiles: loadProfiles(), driverOf });
    await importSite(inventory, demo(), ACTOR);
    const access = createAccess({ inventory, journal: site.journal, clock: systemClock });
    const noon = Date.parse('2026-06-01T12:00+08:00');
    const count: Record<string, number> = {};
    for (const { plate } of inventory.vehicles()) {
      const { reason, gate } = access.decide({ gate: 'camera-east-in', plate, at: noon });
      expect(gate).toBe('gate-east-in');
      count[reason] = (count[reason] ?? 0) + 1;
    }
    expect(count).toEqual({
      resident: 18,
      visitor: 4,
      expired: 3,
      staff: 2,
      'outside-schedule': 1,
      'wrong-gate': 1,
      blocked: 1,
    });
  });
});
