/** The example of README.md as a module: what is shown there is what is tried. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export type SignCommand = (
  command: { device: string; command: string; input?: object; deadlineMs?: number; reason?: string },
  signer: { gatewayId: string; key: string; privateKey: import('node:crypto').KeyObject },
  nonce?: string,
) => {
  device: string;
  command: string;
  signed: { gatewayId: string; key: string; id: string; nonce: string; issuedAt: number; signature: string };
};

/** @param directory where it is written to */
export async function exampleOf(directory: string): Promise<SignCommand> {
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  if (code === undefined) throw new Error('README.md has no example');
  const file = join(directory, 'sign-command.ts');
  writeFileSync(file, code);
  const { signCommand } = (await import(pathToFileURL(file).href)) as { signCommand: SignCommand };
  return signCommand;
}
