/** The certificate of the HTTP listeners off loopback: made at first start, replaceable by putting files in its place. */
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { writeDurably } from '../journal/identity.ts';
import type { Log } from '../log.ts';

export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

const OURS = 'Gatehouse self-signed';
const DAY_MS = 86_400_000;
/** Longer ones are refused by some browsers even after the user has trusted them. */
const VALID_DAYS = 820;
const RENEW_DAYS = 30;

/**
 * Reads `<directory>/key.pem` and `cert.pem`, or makes them. One of our own that runs out is made anew; one that somebody
 * put there is never touched, only complained about.
 */
export async function keyPair(directory: string, host: string, { clock, log }: { clock: Clock; log: Log }) {
  const files = { key: join(directory, 'key.pem'), cert: join(directory, 'cert.pem') };
  const found = await read(files);
  if (found) {
    const certificate = new X509Certificate(found.cert);
    const left = certificate.validToDate.getTime() - clock.now();
    if (left > RENEW_DAYS * DAY_MS) return found;
    if (!certificate.subject.includes(OURS)) {
      log.error({ validTo: certificate.validTo, file: files.cert }, 'the certificate runs out, put a new one there');
      return found;
    }
  }
  const made = await make(host, clock);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  writeDurably(files.key, made.key);
  writeDurably(files.cert, made.cert, 0o644);
  log.info({ directory, fingerprint: new X509Certificate(made.cert).fingerprint256 }, 'made a self-signed certificate');
  return made;
}

async function read(files: { key: string; cert: string }): Promise<KeyPair | undefined> {
  try {
    return { key: await readFile(files.key, 'utf8'), cert: await readFile(files.cert, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function make(host: string, clock: Clock): Promise<KeyPair> {
  const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  const addresses = new Set([...own, ...(isIP(host) ? [host] : [])].filter((address) => !address.includes('%')));
  const names = new Set(['localhost', hostname(), 'gatehouse.local', ...(isIP(host) ? [] : [host])]);
  // Ten megabytes of code for one certificate in two years: loaded when it is made.
  const { generate } = await import('selfsigned');
  const pems = await generate([{ name: 'commonName', value: OURS }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // An hour back: the panel's clock may be a little behind ours.
    notBeforeDate: new Date(clock.now() - 3_600_000),
    notAfterDate: new Date(clock.now() + VALID_DAYS * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...[...names].map((value) => ({ type: 2, value }) as const),
          ...[...addresses].map((ip) => ({ type: 7, ip }) as const),
        ],
      },
    ],
  });
  return { key: pems.private, cert: pems.cert };
}
