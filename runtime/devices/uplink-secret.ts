import { readFileSync } from 'node:fs';
import { GatehouseError, reasonOf } from '../errors.ts';

/** A user name as it stands in the site file, or the place where the secret is: never the secret itself. */
export type SecretSource = string | { readonly env: string } | { readonly file: string };

/** Reads it from the environment or a file (one trailing line break is not part of it). @throws GatehouseError `config.invalid` */
export function readSecret(source: SecretSource, environment: NodeJS.ProcessEnv = process.env): string {
  if (typeof source === 'string') return source;
  if ('env' in source) {
    const value = environment[source.env];
    if (value) return value;
    throw new GatehouseError('config.invalid', `The environment variable ${source.env} is not set`);
  }
  try {
    return readFileSync(source.file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new GatehouseError('config.invalid', `Cannot read the secret file ${source.file}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
