/** Public keys with which platforms sign commands (reliability.md C8): who may sign, with what, for which devices. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Draft } from '../contracts/record.ts';
import type { PlatformKey } from '../contracts/signed-command.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';

export const platformKeyTable = `
CREATE TABLE IF NOT EXISTS platform_key (
  id TEXT PRIMARY KEY,
  view TEXT NOT NULL
) WITHOUT ROWID, STRICT;
`;
const PUT = 'INSERT OR REPLACE INTO platform_key VALUES (?, ?)';
const REMOVE = 'DELETE FROM platform_key WHERE id = ?';

/** One platform may have so many at once: the one in use, the next one, one for each place that signs. */
const MOST_PER_PLATFORM = 16;
/** The 32 bytes of an Ed25519 key, in base64url. */
const RAW = /^[A-Za-z0-9_-]{43}$/;

/** @throws GatehouseError `config.invalid` for what is no Ed25519 public key */
function keyObject(text: string): KeyObject {
  let key: KeyObject;
  try {
    key = RAW.test(text)
      ? createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text }, format: 'jwk' })
      : createPublicKey(text);
  } catch (error) {
    throw new GatehouseError('config.invalid', `Not a public key: ${reasonOf(error)}`);
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new GatehouseError('config.invalid', `A key of the kind ${key.asymmetricKeyType}; Ed25519 is what is taken`);
}

export interface PlatformKeys {
  list(): PlatformKey[];
  /** @throws GatehouseError `config.invalid`, `inventory.conflict`, `journal.*` */
  put(key: PlatformKey, actor: string): Promise<{ readonly created: boolean }>;
  /** @throws GatehouseError `inventory.not_found` */
  remove(id: string, actor: string): Promise<void>;
  /** The key if it is the platform's, valid now, and signed this. @throws GatehouseError `command.signature` */
  check(platform: string, id: string, text: string, signature: string): PlatformKey;
}

export function openPlatformKeys({ journal, clock }: { journal: Journal; clock: Clock }): PlatformKeys {
  const known = new Map<string, { readonly view: PlatformKey; readonly key: KeyObject }>();
  const rows = journal.db.prepare<[], { view: string }>('SELECT view FROM platform_key').all();
  for (const row of rows) {
    const view = JSON.parse(row.view) as PlatformKey;
    known.set(view.id, { view, key: keyObject(view.publicKey) });
  }
  const audit = (
    name: string,
    before: PlatformKey | undefined,
    after: PlatformKey | undefined,
    actor: string,
  ): Draft => ({
    lane: 'L0',
    kind: 'audit',
    scenario: 'gateway',
    device: '',
    name,
    data: { ...(before ? { before } : {}), ...(after ? { after } : {}) },
    actor,
  });

  return {
    list: () => [...known.values()].map(({ view }) => view).sort((a, b) => (a.id < b.id ? -1 : 1)),
    async put(view, actor) {
      const key = keyObject(view.publicKey);
      const before = known.get(view.id)?.view;
      if (before && before.platform !== view.platform) {
        const text = `Key ${view.id} is one of platform ${before.platform}; remove it there first`;
        throw new GatehouseError('inventory.conflict', text);
      }
      const others = [...known.values()].filter(
        (one) => one.view.platform === view.platform && one.view.id !== view.id,
      );
      if (others.length >= MOST_PER_PLATFORM)
        throw new GatehouseError(
          'inventory.conflict',
          `${view.platform} has ${others.length} keys: remove an old one first`,
        );
      await journal.commit({
        records: [audit('platform.key.put', before, view, actor)],
        writes: [{ sql: PUT, params: [view.id, JSON.stringify(view)] }],
      });
      known.set(view.id, { view, key });
      return { created: before === undefined };
    },
    async remove(id, actor) {
      const before = known.get(id)?.view;
      if (!before) throw new GatehouseError('inventory.not_found', `No key ${id}`);
      known.delete(id); // at once: a key that is withdrawn signs nothing more, whatever the disk does
      await journal.commit({
        records: [audit('platform.key.removed', before, undefined, actor)],
        writes: [{ sql: REMOVE, params: [id] }],
      });
    },
    check(platform, id, text, signature) {
      const found = known.get(id);
      const now = clock.now();
      if (!found || found.view.platform !== platform)
        throw new GatehouseError('command.signature', `Platform ${platform} has no key ${id} here`);
      const { validFrom = 0, validTo = Number.MAX_SAFE_INTEGER } = found.view;
      if (now < validFrom || now >= validTo)
        throw new GatehouseError('command.signature', `Key ${id} is not valid now`);
      if (!verify(null, Buffer.from(text), found.key, Buffer.from(signature, 'base64url')))
        throw new GatehouseError('command.signature', `The signature was not made with key ${id} over this command`);
      return found.view;
    },
  };
}
