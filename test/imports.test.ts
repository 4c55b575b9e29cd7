/** Who may import whom. What is not listed is refused; tests and their fixtures are free. */
import { globSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const BASE = ['runtime/errors.ts', 'runtime/clock.ts', 'runtime/log.ts'];
const CONTRACTS = 'runtime/contracts/';
const JOURNAL = 'runtime/journal/';
const DRIVER = 'drivers/driver.ts';

/** Place → what it may import beside itself. Both are beginnings of paths; the longest place that fits a file counts. */
const ALLOWED: Record<string, readonly string[]> = {
  [CONTRACTS]: [],
  'runtime/errors.ts': [],
  'runtime/clock.ts': [],
  'runtime/log.ts': [],
  'runtime/config.ts': ['runtime/errors.ts'],
  'runtime/clock-quality.ts': [CONTRACTS, JOURNAL, ...BASE],
  'runtime/memory.ts': BASE,
  'runtime/announce': [CONTRACTS],
  [JOURNAL]: [CONTRACTS, ...BASE],
  'runtime/storage/': [CONTRACTS, JOURNAL, ...BASE],
  'runtime/alarms/': [CONTRACTS, JOURNAL, ...BASE],
  'runtime/duty/': [CONTRACTS, JOURNAL, ...BASE],
  'runtime/calendar/': [CONTRACTS, JOURNAL, ...BASE],
  'runtime/alarm-site.ts': ['runtime/alarms/', 'runtime/devices/'],
  'runtime/summons': [CONTRACTS, 'runtime/alarms/', 'runtime/commands/', 'runtime/devices/', 'runtime/duty/', ...BASE],
  'runtime/rules/': [CONTRACTS, JOURNAL, 'runtime/alarms/', ...BASE],
  'runtime/commands/': [CONTRACTS, JOURNAL, DRIVER, ...BASE],
  'runtime/linkages/': [
    CONTRACTS,
    JOURNAL,
    'runtime/alarms/',
    'runtime/commands/',
    'runtime/devices/',
    'runtime/rules/conditions.ts',
    ...BASE,
  ],
  'runtime/devices/': [
    CONTRACTS,
    JOURNAL,
    'runtime/alarms/',
    'runtime/commands/',
    DRIVER,
    'drivers/index.ts',
    'drivers/profile-schema.ts',
    ...BASE,
  ],
  'runtime/outputs.ts': [CONTRACTS, JOURNAL, 'runtime/alarms/', 'runtime/commands/', 'runtime/devices/', ...BASE],
  'runtime/access/': [CONTRACTS, JOURNAL, 'runtime/devices/', ...BASE],
  'runtime/derive/': [CONTRACTS, 'nodes/locales/', ...BASE],
  'runtime/api/': [
    CONTRACTS,
    JOURNAL,
    'runtime/access/',
    'runtime/alarms/',
    'runtime/calendar/',
    'runtime/commands/',
    'runtime/config.ts',
    'runtime/duty/',
    'runtime/replay/replays.ts',
    'runtime/derive/',
    'runtime/devices/',
    ...BASE,
  ],
  'runtime/backup/': [CONTRACTS, JOURNAL, ...BASE],
  'runtime/broker': BASE,
  'runtime/uplink/': [CONTRACTS, JOURNAL, 'runtime/broker/', 'runtime/commands/', 'runtime/devices/', ...BASE],
  // Node-RED's process and its nodes know the gateway only by its API.
  'runtime/flows/': [CONTRACTS, 'runtime/derive/', ...BASE],
  // A flow process of its own against a gateway that only writes down.
  'runtime/replay/': [CONTRACTS, JOURNAL, 'runtime/flows/', ...BASE],
  // The core's side of it: what was deployed.
  'runtime/flow-history/': [CONTRACTS, JOURNAL, ...BASE],
  'nodes/': [CONTRACTS],
  'runtime/booth/': [CONTRACTS],
  'runtime/boot/': [],
  // The other side: a platform knows what the contracts say and nothing else of a gateway.
  'runtime/platform/': [CONTRACTS],
  'runtime/demo/': [CONTRACTS, 'drivers/', ...BASE],
  // The core's side of the demo: starts that process and lists its devices in the inventory.
  'runtime/demo/start.ts': [CONTRACTS, JOURNAL, 'runtime/config.ts', 'runtime/demo/', 'runtime/devices/', ...BASE],
  'runtime/self-check.ts': [CONTRACTS],
  'runtime/keeping.ts': [
    CONTRACTS,
    JOURNAL,
    'runtime/alarms/',
    'runtime/config.ts',
    'runtime/devices/',
    'runtime/storage/',
    'runtime/uplink/',
    ...BASE,
  ],
  'runtime/upkeep.ts': [CONTRACTS, JOURNAL, 'runtime/alarms/', 'runtime/backup/', 'runtime/self-check.ts', ...BASE],
  'runtime/gatehouse': [CONTRACTS, JOURNAL, 'runtime/backup/', 'runtime/replay/', 'runtime/storage/', ...BASE],
  'runtime/safety': [CONTRACTS, JOURNAL, 'runtime/api/', 'runtime/config.ts', ...BASE],
  'runtime/exit.ts': ['runtime/announce'],
  'runtime/full-disk.ts': ['runtime/exit.ts', 'runtime/storage/'],
  // The one place that builds things; main.ts only starts and ends it.
  'runtime/gateway.ts': ['runtime/', 'drivers/'],
  'runtime/main.ts': ['runtime/'],
  'drivers/': BASE,
  'test/': ['runtime/', 'drivers/', 'nodes/', 'flows/', 'firmware-profiles/'],
  'vitest.config.ts': [],
};

/** Package → the only places that know it, so that leaving it means changing those alone. `test/` may use any. */
const PACKAGES: Record<string, readonly string[]> = {
  '@fastify/': ['runtime/api/', 'runtime/flows/'],
  '@nats-io/': ['runtime/platform/'],
  '@preact/': ['runtime/booth/'],
  aedes: ['runtime/broker'],
  'better-sqlite3': [JOURNAL, 'runtime/storage/'],
  fastify: ['runtime/api/', 'runtime/flows/'],
  'modbus-serial': ['drivers/modbus/'],
  mqtt: ['runtime/uplink/', 'runtime/demo/', 'drivers/mqtt-json/', 'runtime/platform/'],
  'node-red': ['runtime/flows/', 'nodes/'],
  pg: ['runtime/platform/'],
  pino: ['runtime/log.ts', 'runtime/gateway.ts'],
  preact: ['runtime/booth/'],
  selfsigned: ['runtime/api/'],
  serialport: ['drivers/modbus/'],
  yaml: ['runtime/devices/'],
};

/** These run in a browser as well, or make up what does. */
const BROWSER = [CONTRACTS, 'runtime/booth/'];

const startsWithOneOf = (path: string, beginnings: readonly string[]) => beginnings.some((one) => path.startsWith(one));

/** What a source imports, as written. Statements begin a line; text inside comments and strings does not look so. */
function importsOf(source: string): string[] {
  const statement = /^(?:import|export)\s+(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
  const call = /^(?!\s*(?:\*|\/\*|\/\/)).*?\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;
  return [statement, call].flatMap((pattern) => [...source.matchAll(pattern)].map((found) => found[1] ?? ''));
}

const BUILDERS = ['runtime/main.ts', 'runtime/gateway.ts'];

/** @returns One sentence for each import that is not allowed. */
function faultsOf(file: string, source: string): string[] {
  const place = Object.keys(ALLOWED)
    .filter((one) => file.startsWith(one))
    .sort((a, b) => b.length - a.length)[0];
  if (place === undefined) return [`${file}: no rule for this place; add it to ALLOWED`];
  return importsOf(source).flatMap((imported) => {
    if (imported.startsWith('.')) {
      const target = normalize(join(file, '..', imported));
      const allowed =
        startsWithOneOf(target, [place, ...(ALLOWED[place] ?? [])]) &&
        (!BUILDERS.includes(target) || file === 'runtime/main.ts' || file.startsWith('test/')) &&
        target !== 'runtime/main.ts';
      return allowed ? [] : [`${file} may not import ${target}`];
    }
    if (imported.startsWith('node:')) {
      const inBrowser = startsWithOneOf(file, BROWSER) && !file.endsWith('vite.config.ts');
      return inBrowser ? [`${file} runs in a browser and may not import ${imported}`] : [];
    }
    const owner = Object.keys(PACKAGES).find((name) =>
      name.endsWith('/') ? imported.startsWith(name) : imported === name || imported.startsWith(`${name}/`),
    );
    const mayUse = owner === undefined || startsWithOneOf(file, ['test/', ...(PACKAGES[owner] ?? [])]);
    return mayUse ? [] : [`${file} may not import the package ${imported}`];
  });
}

const isTest = (file: string) => /(\.test|\.fixture|\/fixture)\.tsx?$|\/testing\//.test(file);

function sources(): string[] {
  const folders = ['runtime', 'nodes', 'drivers', 'firmware-profiles', 'flows', 'test'];
  const patterns = [...folders.map((folder) => `${folder}/**/*.{ts,tsx,mjs,js}`), '*.{ts,mjs,js}'];
  const exclude = ['**/node_modules/**', '**/dist/**'];
  return globSync(patterns, { cwd: root, exclude }).filter((file) => !isTest(file));
}

describe('import directions', () => {
  test('hold in every source file', () => {
    const files = sources();
    expect(files.length).toBeGreaterThan(50);
    expect(files.flatMap((file) => faultsOf(file, readFileSync(join(root, file), 'utf8')))).toEqual([]);
  });

  test('name only places that exist', () => {
    const files = sources();
    const unused = Object.keys(ALLOWED).filter((place) => !files.some((file) => file.startsWith(place)));
    expect(unused).toEqual([]);
  });

  test.each([
    ['main.ts', []],
    ['gateway.ts', ['runtime/main.ts', 'test/']],
  ])('nobody imports %s, but for %j', (file, importers) => {
    for (const place of Object.keys(ALLOWED).filter((one) => one !== `runtime/${file}`)) {
      const up = `./${'../'.repeat(place.split('/').length - 1)}`;
      const planted = place.endsWith('/') ? `${place}planted.ts` : place;
      const faults = faultsOf(planted, `import { x } from '${up}runtime/${file}';`);
      expect(faults, place).toHaveLength(importers.includes(place) ? 0 : 1);
    }
  });

  test.each([
    ['runtime/contracts/a.ts', '../journal/journal.ts'],
    ['runtime/contracts/a.ts', '../errors.ts'],
    ['runtime/contracts/a.ts', 'node:fs'],
    ['runtime/errors.ts', './log.ts'],
    ['runtime/config.ts', './journal/journal.ts'],
    ['runtime/journal/a.ts', '../devices/host.ts'],
    ['runtime/journal/a.ts', '../../drivers/driver.ts'],
    ['runtime/alarms/a.ts', '../commands/dispatcher.ts'],
    ['runtime/rules/a.ts', '../devices/host.ts'],
    ['runtime/commands/a.ts', '../api/server.ts'],
    ['runtime/commands/a.ts', '../../drivers/modbus/driver.ts'],
    ['runtime/devices/a.ts', '../../drivers/modbus/driver.ts'],
    ['runtime/devices/a.ts', '../api/server.ts'],
    ['runtime/access/a.ts', '../commands/dispatcher.ts'],
    ['runtime/derive/a.ts', '../journal/journal.ts'],
    ['runtime/api/a.ts', '../uplink/mqtt.ts'],
    ['runtime/api/a.ts', '../flows/supervisor.ts'],
    ['runtime/api/a.ts', '../../drivers/index.ts'],
    ['runtime/broker/a.ts', '../devices/inventory.ts'],
    ['runtime/broker.ts', './journal/journal.ts'],
    ['runtime/uplink/a.ts', '../api/server.ts'],
    ['runtime/flows/child.ts', '../journal/journal.ts'],
    ['runtime/flows/child.ts', '../devices/inventory.ts'],
    ['nodes/a.ts', '../runtime/journal/journal.ts'],
    ['nodes/a.ts', '../runtime/errors.ts'],
    ['runtime/booth/a.tsx', '../api/server.ts'],
    ['runtime/booth/a.tsx', 'node:fs'],
    ['runtime/boot/a.mjs', '../errors.ts'],
    ['runtime/demo/a.ts', '../devices/host.ts'],
    ['runtime/platform/a.ts', '../uplink/batch.ts'],
    ['runtime/platform/a.ts', '../errors.ts'],
    ['runtime/uplink/a.ts', '../platform/message.ts'],
    ['runtime/uplink/a.ts', 'pg'],
    ['drivers/modbus/a.ts', '../../runtime/journal/journal.ts'],
    ['drivers/modbus/a.ts', '../../runtime/contracts/index.ts'],
    ['runtime/devices/a.ts', 'better-sqlite3'],
    ['runtime/journal/a.ts', 'fastify'],
    ['runtime/journal/a.ts', '@fastify/static'],
    ['runtime/commands/a.ts', 'modbus-serial'],
    ['runtime/access/a.ts', 'yaml'],
    ['runtime/api/a.ts', 'aedes'],
    ['runtime/elsewhere/a.ts', 'node:fs'],
  ])('planted fault: %s importing %s is found', (file, imported) => {
    expect(faultsOf(file, `import { x } from '${imported}';\n`)).toHaveLength(1);
  });

  test.each([
    `import { a } from '../api/x.ts';`,
    `import type { A } from '../api/x.ts';`,
    `import {\n  a,\n  b,\n} from "../api/x.ts";`,
    `import * as a from '../api/x.ts';`,
    `import '../api/x.ts';`,
    `export { a } from '../api/x.ts';`,
    `export * from '../api/x.ts';`,
    `export type { A } from '../api/x.ts';`,
    `const a = await import('../api/x.ts');`,
    `const a: import('../api/x.ts').A = b;`,
  ])('is seen however it is written: %s', (source) => {
    expect(faultsOf('runtime/journal/planted.ts', `/** Text. */\n${source}\n`)).toEqual([
      'runtime/journal/planted.ts may not import runtime/api/x.ts',
    ]);
  });

  test('words in comments and texts are no imports', () => {
    const source = `/** import { a } from '../api/x.ts'; */\n// import('../api/x.ts')\nconst text = "from '../api/x.ts'";\n`;
    expect(faultsOf('runtime/journal/planted.ts', source)).toEqual([]);
  });
});
