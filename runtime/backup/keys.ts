/**
 * Who can open an archive. Each has a data key of its own, wrapped for the box it was made on and, if there is one, for a
 * passphrase. Of the passphrase the box keeps a public key only: it can seal for it every day and never knows it.
 */
import {
  argon2,
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { GatehouseError } from '../errors.ts';
import { writeDurably } from '../journal/identity.ts';

export const KEY_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MIN_PASSPHRASE = 12;
/** KiB and passes of argon2id: about a quarter of a second, once per archive opened. */
const COST = { memory: 64 * 1024, passes: 3 } as const;
/** PKCS #8 and SPKI around the 32 bytes of an X25519 key (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

const bytes = (count: number) => Type.String({ pattern: `^[A-Za-z0-9_-]{${Math.ceil((count * 4) / 3)}}$` });
const sealedKey = bytes(NONCE_BYTES + KEY_BYTES + TAG_BYTES);

/** What a box remembers of a passphrase: enough to seal for it, not to open. */
export const recovery = Type.Object({
  salt: bytes(SALT_BYTES),
  memory: Type.Integer({ minimum: 8 * 1024, maximum: 256 * 1024 }),
  passes: Type.Integer({ minimum: 1, maximum: 10 }),
  public: bytes(KEY_BYTES),
});
export type Recovery = Static<typeof recovery>;

export const wrap = Type.Union([
  Type.Object({ kind: Type.Literal('box'), key: Type.String({ pattern: '^[0-9a-f]{16}$' }), sealed: sealedKey }),
  Type.Object({
    kind: Type.Literal('passphrase'),
    ...recovery.properties,
    ephemeral: bytes(KEY_BYTES),
    sealed: sealedKey,
  }),
]);
export type Wrap = Static<typeof wrap>;

/** What somebody has to open an archive with. */
export interface Keys {
  readonly box?: Uint8Array;
  readonly passphrase?: string;
}

const boxFile = (secrets: string): string => join(secrets, 'backup.key');
const recoveryFile = (secrets: string): string => join(secrets, 'backup.recovery.json');

/** The box's own key, made at first use. It is never in an archive: whoever finds one cannot open it. */
export function boxKey(secrets: string): Buffer {
  const file = boxFile(secrets);
  if (!existsSync(file)) {
    mkdirSync(secrets, { recursive: true, mode: 0o700 });
    writeDurably(file, randomBytes(KEY_BYTES).toString('base64url'));
  }
  return readBoxKey(file);
}

/** @throws GatehouseError `backup.key` if the file holds no key; file system errors as they come */
export function readBoxKey(file: string): Buffer {
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url');
  if (key.length !== KEY_BYTES) throw new GatehouseError('backup.key', `${file} holds no backup key`);
  return key;
}

export const keyId = (box: Uint8Array): string => createHash('sha256').update(box).digest('hex').slice(0, 16);

/** The remembered passphrase's public part. */
export function readRecovery(secrets: string): Recovery | undefined {
  const file = recoveryFile(secrets);
  if (!existsSync(file)) return undefined;
  const found: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return Value.Check(recovery, found) ? found : undefined;
}

export function rememberRecovery(secrets: string, kept: Recovery): void {
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  writeDurably(recoveryFile(secrets), JSON.stringify(kept));
}

/** @throws GatehouseError `backup.passphrase` under twelve characters */
export async function recoveryOf(passphrase: string): Promise<Recovery> {
  if ([...passphrase].length < MIN_PASSPHRASE) {
    throw new GatehouseError('backup.passphrase', `A passphrase has at least ${MIN_PASSPHRASE} characters`);
  }
  const salt = randomBytes(SALT_BYTES).toString('base64url');
  const secret = await privateKey(passphrase, { salt, ...COST });
  return { salt, ...COST, public: rawPublic(createPublicKey(secret)).toString('base64url') };
}

export function wrapForBox(dataKey: Uint8Array, box: Uint8Array): Wrap {
  return { kind: 'box', key: keyId(box), sealed: sealKey(dataKey, derive(box, 'gatehouse backup box')) };
}

export function wrapForRecovery(dataKey: Uint8Array, kept: Recovery): Wrap {
  const pair = generateKeyPairSync('x25519');
  const shared = diffieHellman({ privateKey: pair.privateKey, publicKey: publicKey(kept.public) });
  const ephemeral = rawPublic(pair.publicKey);
  const sealed = sealKey(dataKey, derive(shared, `gatehouse backup ${ephemeral.toString('hex')}`));
  return { kind: 'passphrase', ...kept, ephemeral: ephemeral.toString('base64url'), sealed };
}

/** @throws GatehouseError `backup.key` naming what is missing or wrong */
export async function unwrap(wraps: readonly Wrap[], keys: Keys): Promise<Buffer> {
  const made = wraps.find((one) => one.kind === 'box');
  if (keys.box && made?.kind === 'box' && made.key === keyId(keys.box)) {
    const opened = openKey(made.sealed, derive(keys.box, 'gatehouse backup box'));
    if (opened) return opened;
  }
  const sealed = wraps.find((one) => one.kind === 'passphrase');
  if (keys.passphrase !== undefined && sealed?.kind === 'passphrase') {
    const secret = await privateKey(keys.passphrase, sealed);
    const shared = diffieHellman({ privateKey: secret, publicKey: publicKey(sealed.ephemeral) });
    const ephemeral = Buffer.from(sealed.ephemeral, 'base64url');
    const opened = openKey(sealed.sealed, derive(shared, `gatehouse backup ${ephemeral.toString('hex')}`));
    if (opened) return opened;
  }
  throw new GatehouseError('backup.key', 'Neither the key nor the passphrase given opens this archive', {
    detail: { madeWith: made?.kind === 'box' ? made.key : undefined, hasPassphrase: sealed !== undefined },
  });
}

const derive = (secret: Uint8Array, purpose: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', secret, Buffer.alloc(0), purpose, KEY_BYTES));

function sealKey(dataKey: Uint8Array, key: Uint8Array): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  return Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]).toString('base64url');
}

function openKey(sealed: string, key: Uint8Array): Buffer | undefined {
  const all = Buffer.from(sealed, 'base64url');
  const cipher = createDecipheriv('aes-256-gcm', key, all.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  cipher.setAuthTag(all.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([cipher.update(all.subarray(NONCE_BYTES, -TAG_BYTES)), cipher.final()]);
  } catch {
    return undefined; // another key sealed it
  }
}

function privateKey(passphrase: string, { salt, memory, passes }: Omit<Recovery, 'public'>): Promise<KeyObject> {
  const message = passphrase.normalize('NFKC');
  const nonce = Buffer.from(salt, 'base64url');
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message, nonce, memory, passes, parallelism: 1, tagLength: KEY_BYTES }, (error, seed) => {
      if (error) reject(error);
      else resolve(createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: 'der', type: 'pkcs8' }));
    });
  });
}

const publicKey = (raw: string): KeyObject =>
  createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, Buffer.from(raw, 'base64url')]), format: 'der', type: 'spki' });

const rawPublic = (key: KeyObject): Buffer =>
  key.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX.length);
