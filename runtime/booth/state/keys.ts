/** A random Idempotency-Key, also where the page came over plain HTTP on the site network and randomUUID is not offered. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
