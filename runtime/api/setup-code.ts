/** The one-time code of a gateway without an administrator (reliability.md A1): 80 bits, 30 minutes, five tries. */
import { randomInt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';

/** Crockford's base 32: no I, L, O, U, which are misread on a console. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 16; // 5 bits each: 80 bits
const VALID_MS = 30 * 60_000;
const TRIES = 5;

export interface SetupCode {
  /** As printed: `XXXX-XXXX-XXXX-XXXX`; undefined once used, spent or expired. */
  text(): string | undefined;
  /** @throws GatehouseError `auth.invalid` for a wrong one, `auth.setup_closed` when none is valid. */
  check(given: string): void;
  spend(): void;
}

export function createSetupCode(clock: Clock): SetupCode {
  const code = Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  const made = clock.mono();
  let tries = 0;
  let spent = false;
  const valid = () => !spent && tries < TRIES && clock.mono() - made < VALID_MS;
  return {
    text: () => (valid() ? code.replaceAll(/(.{4})(?!$)/g, '$1-') : undefined),
    check(given) {
      if (!valid()) {
        throw new GatehouseError('auth.setup_closed', 'No set-up code is valid now; a restart prints a new one');
      }
      const typed = given.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1');
      const same = /^[0-9A-Z]{16}$/.test(typed) && timingSafeEqual(Buffer.from(typed), Buffer.from(code));
      if (!same) {
        tries++;
        throw new GatehouseError('auth.invalid', 'This is not the set-up code', { detail: { left: TRIES - tries } });
      }
    },
    spend() {
      spent = true;
    },
  };
}
