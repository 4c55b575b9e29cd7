/** Secrets people log in with: argon2id with salt and pepper (reliability.md A3, A4), and which ones are refused. */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GatehouseError } from '../errors.ts';
import { writeDurably } from '../journal/identity.ts';

const COST = { memory: 19 * 1024, passes: 2, parallelism: 1, tagLength: 32 } as const;
const SALT_BYTES = 16;
/** Each takes 19 MiB and a thread; more at once would starve the journal's writer on a two-core box. */
const AT_ONCE = 2;
const WAITING = 32;

export interface Hasher {
  /** @returns `argon2id$<salt>$<hash>`, base64url. @throws GatehouseError `http.rate` when too many wait. */
  hash(secret: string): Promise<string>;
  /** Takes the same time when `stored` is undefined, and is then false. @throws GatehouseError `http.rate` */
  verify(secret: string, stored: string | undefined): Promise<boolean>;
}

export function createHasher(pepper: Uint8Array): Hasher {
  const unknown = { salt: randomBytes(SALT_BYTES), hash: randomBytes(COST.tagLength) };
  const waiting: (() => void)[] = [];
  let running = 0;
  const digest = async (secret: string, salt: Uint8Array): Promise<Buffer> => {
    if (running >= AT_ONCE) {
      if (waiting.length >= WAITING) {
        throw new GatehouseError('http.rate', 'Too many log-ins at once', { detail: { retryAfterMs: 2000 } });
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running++;
    try {
      return await new Promise((resolve, reject) => {
        argon2('argon2id', { message: secret, nonce: salt, secret: pepper, ...COST }, (error, tag) =>
          error ? reject(error) : resolve(Buffer.from(tag)),
        );
      });
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
  return {
    async hash(secret) {
      const salt = randomBytes(SALT_BYTES);
      return `argon2id$${salt.toString('base64url')}$${(await digest(secret, salt)).toString('base64url')}`;
    },
    async verify(secret, stored) {
      const [, salt = '', hash = ''] = stored?.split('$') ?? [];
      const expected = stored ? Buffer.from(hash, 'base64url') : unknown.hash;
      const actual = await digest(secret, stored ? Buffer.from(salt, 'base64url') : unknown.salt);
      return timingSafeEqual(actual, expected) && stored !== undefined;
    },
  };
}

/** Reads the pepper, or makes it at first start. It lives outside the database, so that a stolen database is not enough. */
export async function loadPepper(file: string): Promise<{ pepper: Uint8Array; fresh: boolean }> {
  if (existsSync(file)) {
    await chmod(file, 0o600);
    return { pepper: Buffer.from(await readFile(file, 'utf8'), 'base64url'), fresh: false };
  }
  const pepper = randomBytes(32);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // No password fits without it: it must be on the disk before the first hash is.
  writeDurably(file, pepper.toString('base64url'));
  return { pepper, fresh: true };
}

const MIN_LENGTH = 10;
/** What is left of the common-password lists from ten characters up, without what the rules below catch anyway. */
const COMMON = [
  'password passw0rd p@ssw0rd p@ssword letmein welcome iloveyou sunshine princess football baseball',
  'superman trustno1 administrator changeme qwertyuiop qwerty asdfghjkl zxcvbnm 1q2w3e4r qazwsx',
  'q1w2e3r4 abc123 woaini 5201314 wangyu aini woainima a123456 test',
].flatMap((line) => line.split(' '));
/** Words of this product and its places. */
const SITE_WORDS = 'gatehouse menfang baoan wuye xiaoqu guard booth daozha 门房 保安 物业 小区'.split(' ');

/**
 * @param words the user's own names and the site's, which make no password either.
 * @throws GatehouseError `auth.weak_password` with the rule it broke.
 */
export function checkPassword(password: string, words: readonly string[]): void {
  const refuse = (rule: string, message: string) => {
    throw new GatehouseError('auth.weak_password', message, { detail: { rule, minLength: MIN_LENGTH } });
  };
  if (password.length < MIN_LENGTH) refuse('length', `A password has at least ${MIN_LENGTH} characters`);
  const low = password.toLowerCase();
  if (new Set(low).size < 5) refuse('repeats', 'The password repeats the same few characters');
  if (isRun(low)) refuse('sequence', 'The password is one run of neighbouring characters');
  // What is left when the known word is taken out must be a password of its own, if a short one.
  for (const word of [...COMMON, ...SITE_WORDS, ...words.map((entry) => entry.toLowerCase())]) {
    if (word.length >= 2 && low.includes(word) && low.replaceAll(word, '').length < 6) {
      refuse('known', 'The password is a well-known word with little beside it');
    }
  }
}

function isRun(text: string): boolean {
  const steps = [...text].slice(1).map((char, index) => (char.codePointAt(0) ?? 0) - (text.codePointAt(index) ?? 0));
  return [1, -1].some((step) => steps.filter((found) => found === step).length >= steps.length - 2);
}

/** @throws GatehouseError `auth.weak_password`. Six digits, neither a run nor repeats. */
export function checkPin(pin: string): void {
  if (!/^\d{6}$/.test(pin) || new Set(pin).size < 3 || isRun(pin)) {
    throw new GatehouseError('auth.weak_password', 'A PIN has six digits, no run and no repeats', {
      detail: { rule: 'pin' },
    });
  }
}
