/**
 * What the compound consists of: site, zones, devices, people, vehicles, credentials. The only writer of these tables;
 * every change is checked as a whole, then committed together with its audit records, then told to the listeners.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Credential, DeviceInput, Person, Uplink, Vehicle, Zone } from '../contracts/api.ts';
import type { SiteView } from '../contracts/contract.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal, Write } from '../journal/journal.ts';
import { audit, auditUplink, checkChange, repeated } from './change.ts';
import { checkEntry } from './check-entry.ts';
import type { Put } from './check-site.ts';
import { type Catalogue, type Device, resolveDevice } from './device.ts';
import { deletion, type Entry, entryTypes, insertion, type Site } from './entries.ts';
import { createLookups, type ListQuery, type Lookups } from './lookups.ts';
import { normalisePlate } from './plate.ts';
import { type EntryKind, type Problem, problemError } from './problem.ts';
import { absent, refuse } from './refusal.ts';
import { Register, type UnusableDevice } from './register.ts';
import { eachSecret, isSealed, openVault, type Vault } from './vault.ts';

export type { Catalogue, Device } from './device.ts';
export { type Site, schema } from './entries.ts';
export type { ListQuery } from './lookups.ts';
export { normalisePlate } from './plate.ts';
export type { UnusableDevice } from './register.ts';

export interface DeviceFilter {
  readonly scenario?: string;
  readonly role?: string;
  /** This zone and everything below it. */
  readonly zone?: string;
  /** Part of the id or the name. */
  readonly q?: string;
}
export interface PutOptions {
  /** True: only if there is none yet. False: only if there is one. Absent: either. */
  readonly create?: boolean;
}
/** One changed entry. `before` and `after` of a device are absent where it is not there or its profile is not known. */
export type InventoryChange =
  | { readonly kind: 'device'; readonly id: string; readonly before?: Device; readonly after?: Device }
  | { readonly kind: Exclude<EntryKind, 'device'>; readonly id: string };
/** An entry as somebody wrote it, and what it is meant to be. */
export interface Named {
  readonly kind: EntryKind;
  readonly entry: unknown;
}
/** A change of many entries: either problems and nothing was changed, or what was done. */
export interface Outcome {
  readonly problems: readonly Problem[];
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
}

const DEFAULT_SITE: Site = { id: 'site', name: 'site', timeZone: 'Asia/Shanghai' };

export class Inventory {
  readonly #journal: Pick<Journal, 'commit' | 'db'>;
  readonly #catalogue: Catalogue;
  readonly #vault: Vault;
  readonly #lookups: Lookups;
  readonly #listeners = new Set<(changes: readonly InventoryChange[]) => void>();
  readonly #devices: Register;
  #zones = new Map<string, Zone>();
  #site: Site | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(journal: Pick<Journal, 'commit' | 'db'>, catalogue: Catalogue) {
    this.#journal = journal;
    this.#catalogue = catalogue;
    this.#vault = openVault(join(dirname(journal.db.name), 'secrets'));
    this.#lookups = createLookups(journal.db, this.#vault);
    this.#devices = new Register(catalogue);
    this.#reload();
    for (const stored of this.#lookups.devices()) this.#devices.set(stored.input.id, stored);
  }

  /** @param journal opened with {@link schema} among its schemas */
  static open(journal: Pick<Journal, 'commit' | 'db'>, catalogue: Catalogue): Inventory {
    return new Inventory(journal, catalogue);
  }

  site(): Site {
    return this.#site ?? DEFAULT_SITE;
  }

  /** False while {@link site} is only the default. */
  hasSite(): boolean {
    return this.#site !== undefined;
  }

  /** True until a site has been imported or anything else was entered. */
  isEmpty(): boolean {
    const any = (kind: 'person' | 'vehicle') => this.#lookups.list(kind, { limit: 1 }).length > 0;
    return !this.#site && this.#zones.size === 0 && !any('person') && !any('vehicle');
  }

  device(id: string): Device | undefined {
    return this.#devices.get(id);
  }

  /** Ascending by id. */
  devices({ scenario, role, zone, q }: DeviceFilter = {}): readonly Device[] {
    const zones = zone === undefined ? undefined : new Set(this.#below(zone));
    const part = q?.normalize('NFC').trim().toLowerCase();
    return this.#devices
      .all()
      .filter(
        (device) =>
          (scenario === undefined || device.scenario === scenario) &&
          (role === undefined || device.role === role) &&
          (zones === undefined || zones.has(device.zone)) &&
          (!part || device.id.includes(part) || device.name.toLowerCase().includes(part)),
      );
  }

  /** As it was entered, to be changed and put back. */
  deviceInput(id: string): DeviceInput | undefined {
    return this.#devices.input(id);
  }

  unusableDevices(): readonly UnusableDevice[] {
    return this.#devices.unusable();
  }

  /** Devices of exactly this zone. */
  devicesIn(zone: string): readonly Device[] {
    return this.#devices.inZone(zone);
  }

  zone(id: string): Zone | undefined {
    return this.#zones.get(id);
  }

  zones(): readonly Zone[] {
    return [...this.#zones.values()];
  }

  /** The zone and its parents, innermost first. */
  zonePath(id: string): readonly Zone[] {
    const path: Zone[] = [];
    for (
      let at = this.#zones.get(id);
      at && !path.includes(at);
      at = at.parent ? this.#zones.get(at.parent) : undefined
    ) {
      path.push(at);
    }
    return path;
  }

  person(id: string): Person | undefined {
    return this.#lookups.find('person', id);
  }

  people(query: ListQuery = {}): readonly Person[] {
    return this.#lookups.list('person', query);
  }

  /** @param plate in any spelling */
  vehicle(plate: string): Vehicle | undefined {
    return this.#lookups.find('vehicle', normalisePlate(plate));
  }

  vehicles(query: ListQuery = {}): readonly Vehicle[] {
    return this.#lookups.list('vehicle', query);
  }

  credential(id: string): Credential | undefined {
    return this.#lookups.find('credential', id);
  }

  credentialByValue(kind: string, value: string): Credential | undefined {
    return this.#lookups.credentialByValue(kind, value.normalize('NFC').trim());
  }

  credentials(query: ListQuery = {}): readonly Credential[] {
    return this.#lookups.list('credential', query);
  }

  /** What a watch may see of the site; always the present state. */
  siteView(): SiteView {
    return {
      device: (id) => this.device(id),
      inZone: (zone, scenario) => this.devicesIn(zone).filter((device) => device.scenario === scenario),
    };
  }

  /**
   * Push key or MQTT password of a device that speaks first, 128 random bits made when it was entered; undefined for
   * the others. For the installer's eyes and for checks only.
   */
  secretOf(device: string): string | undefined {
    return this.#devices.secret(device);
  }

  /**
   * Seals what an older version left readable in the database, all of it in one transaction.
   * @returns devices whose secrets the key of this gateway does not open: entered again they get new ones
   */
  async sealSecrets(): Promise<readonly string[]> {
    const open = this.#lookups.deviceRows().flatMap(({ input, secret }) => {
      const seal = (text: string) => (isSealed(text) ? text : this.#vault.seal(text, input.id));
      const sealed = withSecrets({ input, secret }, seal);
      return isDeepStrictEqual(sealed, { input, secret }) ? [] : [sealed];
    });
    if (open.length > 0) {
      await this.#journal.commit({
        records: [
          {
            ...{ lane: 'L0', kind: 'audit', scenario: 'gateway', device: '', name: 'secrets.sealed' },
            ...{ data: { devices: open.map(({ input }) => input.id) }, actor: 'system:inventory' },
          },
        ],
        writes: open.map(({ input, secret }) => ({
          sql: 'UPDATE device SET address = ?, secret = ? WHERE id = ?',
          params: [input.address === undefined ? null : JSON.stringify(input.address), secret ?? null, input.id],
        })),
      });
    }
    return this.#lookups.devices().flatMap(({ input, lost }) => (lost ? [input.id] : []));
  }

  /** Compares in constant time; false for a device without a secret. */
  checkSecret(device: string, offered: string): boolean {
    const secret = this.#devices.secret(device);
    if (secret === undefined) return false;
    const [a, b] = [Buffer.from(secret), Buffer.from(offered)];
    return a.length === b.length && timingSafeEqual(a, b);
  }

  /** Called after the commit, once per transaction. The returned function ends it. */
  onChange(listener: (changes: readonly InventoryChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws GatehouseError `inventory.*` */
  async putSite(site: Site, actor: string): Promise<Site> {
    await this.#putOne('site', site, actor, {});
    return this.site();
  }

  uplink(id: string): Uplink | undefined {
    return this.site().uplinks?.find((uplink) => uplink.id === id);
  }

  /** Part of the site's entry, but audited by itself. @throws GatehouseError `inventory.*` */
  putUplink(uplink: Uplink, actor: string): Promise<{ readonly created: boolean }> {
    return this.#exclusive(async () => {
      const before = this.uplink(uplink.id);
      const others = this.site().uplinks ?? [];
      const uplinks = before ? others.map((other) => (other.id === uplink.id ? uplink : other)) : [...others, uplink];
      await this.#putUplinks(uplinks, auditUplink(before, uplink, actor));
      return { created: before === undefined };
    });
  }

  /** @throws GatehouseError `inventory.not_found` */
  deleteUplink(id: string, actor: string): Promise<void> {
    return this.#exclusive(async () => {
      const before = this.uplink(id);
      if (!before) throw new GatehouseError('inventory.not_found', `No uplink ${id}`);
      const uplinks = this.site().uplinks?.filter((uplink) => uplink.id !== id) ?? [];
      await this.#putUplinks(uplinks, auditUplink(before, undefined, actor));
    });
  }

  async #putUplinks(uplinks: readonly Uplink[], record: Draft): Promise<void> {
    const { uplinks: _before, ...site } = this.site();
    const entry = { ...site, ...(uplinks.length > 0 ? { uplinks } : {}) };
    const { puts, problems } = this.#examine([{ kind: 'site', entry }], undefined);
    const [put] = puts;
    if (problems.length > 0 || !put) throw problemError(problems);
    await this.#commit([put], [record], [deletion('site', put.id), this.#insertion(put)]);
  }

  /** @throws GatehouseError `device.*`, `inventory.*`; names both devices where two collide. */
  async putDevice(input: DeviceInput, actor: string, options: PutOptions = {}): Promise<Device> {
    const id = await this.#putOne('device', input, actor, options);
    return this.device(id) ?? absent('device', id);
  }

  async putZone(zone: Zone, actor: string, options: PutOptions = {}): Promise<Zone> {
    const id = await this.#putOne('zone', zone, actor, options);
    return this.zone(id) ?? absent('zone', id);
  }

  async putPerson(person: Person, actor: string, options: PutOptions = {}): Promise<Person> {
    const id = await this.#putOne('person', person, actor, options);
    return this.person(id) ?? absent('person', id);
  }

  async putVehicle(vehicle: Vehicle, actor: string, options: PutOptions = {}): Promise<Vehicle> {
    const id = await this.#putOne('vehicle', vehicle, actor, options);
    return this.vehicle(id) ?? absent('vehicle', id);
  }

  async putCredential(credential: Credential, actor: string, options: PutOptions = {}): Promise<Credential> {
    const id = await this.#putOne('credential', credential, actor, options);
    return this.credential(id) ?? absent('credential', id);
  }

  /** @throws GatehouseError `device.not_found`, `inventory.in_use` naming who still shows its picture */
  deleteDevice(id: string, actor: string): Promise<void> {
    return this.#delete('device', id, actor);
  }

  /** @throws GatehouseError `inventory.not_found`, `inventory.in_use` naming what is in it */
  deleteZone(id: string, actor: string): Promise<void> {
    return this.#delete('zone', id, actor);
  }

  deletePerson(id: string, actor: string): Promise<void> {
    return this.#delete('person', id, actor);
  }

  deleteVehicle(plate: string, actor: string): Promise<void> {
    return this.#delete('vehicle', normalisePlate(plate), actor);
  }

  deleteCredential(id: string, actor: string): Promise<void> {
    return this.#delete('credential', id, actor);
  }

  /**
   * Stores many entries in one transaction, or none of them: creates what is new, updates what differs, leaves the rest
   * alone and everything not named. @param note is committed with them if anything changes.
   */
  putAll(
    entries: readonly Named[],
    actor: string,
    { create, note }: PutOptions & { readonly note?: (outcome: Outcome) => Draft } = {},
  ): Promise<Outcome> {
    return this.#exclusive(async () => {
      const { puts, problems } = this.#examine(entries, create);
      const none = { created: 0, updated: 0, unchanged: 0 };
      if (problems.length > 0) return { problems, ...none };

      const changed = puts
        .map((put) => ({ put, before: this.#stored(put.kind, put.id) }))
        .filter(({ put, before }) => !isDeepStrictEqual(before, put.entry));
      const created = changed.filter(({ before }) => before === undefined).length;
      const updated = changed.length - created;
      const outcome = { problems, created, updated, unchanged: puts.length - changed.length };
      if (changed.length === 0) return outcome;
      const records = changed.map(({ put, before }) => audit(put.kind, put.id, before, put.entry, actor));
      // All old rows go before the new ones come, so that two devices can swap their addresses.
      const writes = [
        ...changed.map(({ put }) => deletion(put.kind, put.id)),
        ...changed.map(({ put }) => this.#insertion(put)),
      ];
      await this.#commit(
        changed.map(({ put }) => put),
        note ? [...records, note(outcome)] : records,
        writes,
      );
      return outcome;
    });
  }

  /** Everything that would be refused about a change, without making it. */
  check(entries: readonly Named[]): readonly Problem[] {
    return this.#examine(entries, undefined).problems;
  }

  #examine(entries: readonly Named[], create: boolean | undefined): { puts: readonly Put[]; problems: Problem[] } {
    const checked = entries.map(({ kind, entry }, index) => ({ kind, index, ...checkEntry(kind, entry) }));
    const puts = checked.filter((one) => one.problems.length === 0) as unknown as Put[];
    const present = {
      catalogue: this.#catalogue,
      devices: this.#devices,
      zones: this.#zones,
      lookups: this.#lookups,
    };
    const problems = [
      ...checked.flatMap((one) => one.problems.map((problem) => ({ ...problem, index: one.index }))),
      ...repeated(checked),
      ...puts.flatMap((put) => this.#existence(put, create)),
      ...checkChange(puts, checked, present),
    ];
    return { puts, problems };
  }

  async #putOne(kind: EntryKind, entry: unknown, actor: string, options: PutOptions): Promise<string> {
    const { problems } = await this.putAll([{ kind, entry }], actor, options);
    if (problems.length > 0) throw problemError(problems);
    return checkEntry(kind, entry).id;
  }

  #delete(kind: EntryKind, id: string, actor: string): Promise<void> {
    return this.#exclusive(async () => {
      const before = this.#stored(kind, id);
      if (!before) absent(kind, id);
      const users = this.#lookups.usersOf(kind, id);
      if (users.length > 0) refuse(kind, id, 'inUse', 'inventory.in_use', { id, users: users.join(', ') });
      await this.#commit([{ kind, id }], [audit(kind, id, before, undefined, actor)], [deletion(kind, id)]);
    });
  }

  /** Changes follow one another, so that what was checked still holds when it is committed. */
  #exclusive<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch(() => undefined); // the caller has the error; the next in line must not
    return result;
  }

  #existence(put: Put, create: boolean | undefined): Problem[] {
    if (create === undefined) return [];
    const exists = this.#stored(put.kind, put.id) !== undefined;
    if (exists !== create) return [];
    const { codes } = entryTypes[put.kind];
    const [what, code] = create ? (['exists', codes.exists] as const) : (['absent', codes.absent] as const);
    return [{ what, code, kind: put.kind, id: put.id, index: put.index, path: [], fill: { id: put.id } }];
  }

  #stored(kind: EntryKind, id: string): Entry | undefined {
    if (kind === 'site') return this.#site;
    if (kind === 'zone') return this.#zones.get(id);
    if (kind === 'device') return this.#devices.input(id);
    return this.#lookups.find(kind, id);
  }

  #insertion(put: Put): Write {
    if (put.kind !== 'device') return insertion(put.kind, put.entry);
    const resolved = resolveDevice(put.entry, this.#catalogue);
    if ('problems' in resolved) throw problemError(resolved.problems);
    const { device, wiring } = resolved;
    const secret =
      device.driver.kind === 'message' ? (this.#devices.secret(put.id) ?? randomBytes(16).toString('base64url')) : null;
    const sealed = withSecrets({ input: put.entry, secret: secret ?? undefined }, (text) =>
      this.#vault.seal(text, put.id),
    );
    return insertion('device', sealed.input, { identity: wiring.identity, secret: sealed.secret ?? null });
  }

  async #commit(
    changed: readonly { readonly kind: EntryKind; readonly id: string }[],
    records: readonly Draft[],
    writes: readonly Write[],
  ): Promise<void> {
    try {
      await this.#journal.commit({ records, writes });
    } finally {
      // Also after a failure: a COMMIT that reported an error may have reached the file, and the file is right.
      if (this.#journal.db.open) this.#refresh(changed);
    }
  }

  #refresh(changed: readonly { readonly kind: EntryKind; readonly id: string }[]): void {
    this.#reload();
    const changes = changed.map(({ kind, id }): InventoryChange => {
      if (kind !== 'device') return { kind, id };
      const before = this.device(id);
      this.#devices.set(id, this.#lookups.device(id));
      const after = this.device(id);
      return { kind, id, ...(before ? { before } : {}), ...(after ? { after } : {}) };
    });
    for (const listener of this.#listeners) listener(changes);
  }

  /** Site and zones are few and read back whole; devices one by one. */
  #reload(): void {
    this.#site = this.#lookups.site();
    this.#zones = new Map(this.#lookups.zones().map((zone) => [zone.id, zone]));
  }

  #below(zone: string): string[] {
    return [...this.#zones.keys()].filter((id) => this.zonePath(id).some((at) => at.id === zone));
  }
}

interface WithSecrets {
  readonly input: DeviceInput;
  readonly secret: string | undefined;
}
function withSecrets({ input, secret }: WithSecrets, replace: (text: string) => string): WithSecrets {
  const address = eachSecret(input.address, replace) as DeviceInput['address'];
  return {
    input: { ...input, ...(address === undefined ? {} : { address }) },
    secret: secret === undefined ? undefined : replace(secret),
  };
}
