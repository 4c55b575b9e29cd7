/**
 * Secrets the gateway must be able to say again (reliability.md K2): what devices log in with at the gateway, and the
 * gateway at devices. In the database they stand encrypted with AES-256-GCM; the key is a file of its own in the key
 * store, so that a copy of the database alone opens no gate. Each is bound to the device it belongs to.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GatehouseError } from '../errors.ts';
import { writeDurably } from '../journal/identity.ts';
import { SECRET_KEY } from './entries.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** How a sealed text begins; the number names the way it was sealed. */
const MARK = 'sealed:1:';

export interface Vault {
  /** @param owner id of the device */
  seal(text: string, owner: string): string;
  /** A text that is not sealed as it is; undefined if the key does not open it. */
  open(stored: string, owner: string): string | undefined;
}

export const isSealed = (stored: string): boolean => stored.startsWith(MARK);

/** @param secrets the folder of the key store; a key is made there if there is none @throws GatehouseError `config.invalid` */
export function openVault(secrets: string): Vault {
  const key = keyIn(secrets);
  return {
    seal(text, owner) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      cipher.setAAD(Buffer.from(owner));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return MARK + Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64url');
    },
    open(stored, owner) {
      if (!isSealed(stored)) return stored;
      const bytes = Buffer.from(stored.slice(MARK.length), 'base64url');
      if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(owner));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
      } catch {
        return undefined; // another key, another device, or damage: it opens nothing
      }
    },
  };
}

function keyIn(secrets: string): Buffer {
  const file = join(secrets, 'device.key');
  if (!existsSync(file)) {
    mkdirSync(secrets, { recursive: true, mode: 0o700 });
    writeDurably(file, randomBytes(KEY_BYTES).toString('base64url'));
  }
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url');
  if (key.length === KEY_BYTES) return key;
  throw new GatehouseError('config.invalid', `${file} is not a key of ${KEY_BYTES} bytes: put the right one back`);
}

/** The same address with every secret in it replaced; one that is replaced by undefined is left out. */
export function eachSecret(address: unknown, replace: (text: string) => string | undefined): unknown {
  if (Array.isArray(address)) return address.map((item) => eachSecret(item, replace));
  if (typeof address !== 'object' || address === null) return address;
  return Object.fromEntries(
    Object.entries(address).flatMap(([key, item]) => {
      if (!SECRET_KEY.test(key) || typeof item !== 'string') return [[key, eachSecret(item, replace)]];
      const made = replace(item);
      return made === undefined ? [] : [[key, made]];
    }),
  );
}
