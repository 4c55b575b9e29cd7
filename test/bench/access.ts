/** The access decision out of a large inventory, against the look-up of one row that it cannot do without. */
import { driverOf } from '../../drivers/index.ts';
import { createAccess } from '../../runtime/access/access.ts';
import { systemClock } from '../../runtime/clock.ts';
import { Inventory, schema } from '../../runtime/devices/inventory.ts';
import { loadProfiles } from '../../runtime/devices/profiles.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { silentLog } from '../../runtime/log.ts';
import { plateOf } from './bench-site.ts';
import { type Benchmark, compare, percentile } from './measure.ts';
import { openBare, openFolder } from './scratch.ts';

const VEHICLES = 20_000;
const ASKED = 20_000;
/** One plate in ten is nobody's. */
const PLATES = Math.round(VEHICLES / 0.9);

/** us of each call, over plates in no order. */
function timesOf(ask: (plate: string) => unknown): number[] {
  const times = new Array<number>(ASKED);
  for (let n = 0; n < ASKED; n++) {
    const plate = plateOf((n * 7919) % PLATES);
    const began = performance.now();
    ask(plate);
    times[n] = (performance.now() - began) * 1000;
  }
  return times;
}

const gate = {
  kind: 'device',
  entry: {
    id: 'gate-0',
    name: 'gate',
    zone: 'lane',
    profile: 'waveshare/relay-8ch-barrier',
    address: { host: '127.0.0.1', port: 15020, unit: 1 },
    cameras: ['camera-0'],
  },
} as const;
const lane = { kind: 'zone', entry: { id: 'lane', name: 'lane', kind: 'lane' } } as const;
const camera = {
  kind: 'device',
  entry: { id: 'camera-0', name: 'camera', zone: 'lane', profile: 'vzenith/lpr-http' },
} as const;
const vehicles = Array.from(
  { length: VEHICLES },
  (_, n) => ({ kind: 'vehicle', entry: { plate: plateOf(n), kind: 'resident' } }) as const,
);

export const access: Benchmark = {
  name: 'access',
  about: `access decision with ${VEHICLES.toLocaleString('en')} vehicles, explained, against one prepared primary-key look-up in better-sqlite3`,
  async run(rounds) {
    using folder = openFolder();
    await using journal = await Journal.open({
      directory: folder.path,
      clock: systemClock,
      log: silentLog,
      schema: [schema],
    });
    const inventory = Inventory.open(journal, { profiles: loadProfiles(), driverOf });
    const { problems } = await inventory.putAll([lane, camera, gate, ...vehicles], 'system:bench');
    if (problems.length > 0) throw new Error(`${problems.length} problems with the site of this benchmark`);
    const { decide } = createAccess({ inventory, journal, clock: systemClock });

    const bare = openBare(folder.path);
    bare.exec(
      'CREATE TABLE vehicle (plate TEXT PRIMARY KEY, kind TEXT NOT NULL, validTo INTEGER) WITHOUT ROWID, STRICT',
    );
    const insert = bare.prepare('INSERT INTO vehicle VALUES (?, ?, NULL)');
    bare.transaction(() => {
      for (const { entry } of vehicles) insert.run(entry.plate, entry.kind);
    })();
    const find = bare.prepare<[string]>('SELECT kind, validTo FROM vehicle WHERE plate = ?');

    const ours = () => timesOf((plate) => decide({ gate: 'camera-0', plate }));
    const peer = () => timesOf((plate) => find.get(plate));
    ours();
    peer();
    const found = Array.from({ length: rounds }, () => [ours(), peer()] as const);
    bare.close();
    const words = 'bare look-up of one row';
    return ([0.5, 0.99] as const).map((share) =>
      compare(
        `access decision p${share * 100}`,
        'us',
        words,
        found.map(([own, other]) => [percentile(own, share), percentile(other, share)] as const),
      ),
    );
  },
};
