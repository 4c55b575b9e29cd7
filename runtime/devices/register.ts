/** The devices in memory, as the database has them: asked for by every record, so no look-up may cost a query. */
import type { DeviceInput } from '../contracts/api.ts';
import { type Catalogue, type Device, resolveDevice, type Wiring } from './device.ts';
import { explain } from './problem.ts';

/** A stored device that cannot run, e.g. because this version no longer has its profile. */
export interface UnusableDevice {
  readonly input: DeviceInput;
  readonly reason: string;
}

interface Known {
  readonly input: DeviceInput;
  readonly device: Device;
  readonly wiring: Wiring;
}

export class Register {
  readonly #catalogue: Catalogue;
  readonly #known = new Map<string, Known>();
  readonly #unusable = new Map<string, UnusableDevice>();
  readonly #secrets = new Map<string, string>();
  /** Made when first asked for after a change. */
  #sorted: readonly Device[] | undefined;
  #byZone: ReadonlyMap<string, readonly Device[]> | undefined;

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  get(id: string): Device | undefined {
    return this.#known.get(id)?.device;
  }

  input(id: string): DeviceInput | undefined {
    return this.#known.get(id)?.input ?? this.#unusable.get(id)?.input;
  }

  secret(id: string): string | undefined {
    return this.#secrets.get(id);
  }

  /** Ascending by id. */
  all(): readonly Device[] {
    this.#sorted ??= [...this.#known.values()].map(({ device }) => device).sort((a, b) => (a.id < b.id ? -1 : 1));
    return this.#sorted;
  }

  inZone(zone: string): readonly Device[] {
    this.#byZone ??= Map.groupBy(this.all(), (device) => device.zone);
    return this.#byZone.get(zone) ?? [];
  }

  unusable(): readonly UnusableDevice[] {
    return [...this.#unusable.values()];
  }

  *wirings(): Iterable<readonly [string, Wiring]> {
    for (const [id, { wiring }] of this.#known) yield [id, wiring];
  }

  /** Replaces what is known of the device; `stored` undefined: it is gone. */
  set(id: string, stored: { readonly input: DeviceInput; readonly secret: string | undefined } | undefined): void {
    this.#known.delete(id);
    this.#unusable.delete(id);
    this.#secrets.delete(id);
    this.#sorted = undefined;
    this.#byZone = undefined;
    if (!stored) return;
    const { input, secret } = stored;
    const resolved = resolveDevice(input, this.#catalogue);
    if ('problems' in resolved) {
      const reason = resolved.problems.map((problem) => explain(problem).what.en).join('; ');
      this.#unusable.set(id, { input, reason });
    } else this.#known.set(id, { input, ...resolved });
    if (secret !== undefined) this.#secrets.set(id, secret);
  }
}
