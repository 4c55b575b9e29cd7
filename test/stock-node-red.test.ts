/** A Node-RED of somebody else, in its own process, with only our nodes, an address, a token and a certificate. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openTestGateway, type TestGateway } from '../runtime/api/gateway.fixture.ts';
import type { Draft } from '../runtime/contracts/record.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'gh-stock-'));
const userDir = mkdtempSync(join(tmpdir(), 'gh-stock-red-'));
let gateway: TestGateway;
let port = 0;
let red: ChildProcess | undefined;
let output = '';

/** A lane that opens for every plate that may pass: the same flow as on the gateway, deployed somewhere else. */
const flow = readFileSync(join(root, 'flows/vehicle-gate/single-lane.json'), 'utf8');

async function open(): Promise<void> {
  const http = { host: '0.0.0.0', port };
  gateway = await openTestGateway({
    ...{ directory, host: '0.0.0.0', mode: 'site' },
    parts: { config: { dataDir: directory, http, devices: { host: '127.0.0.1', port: 0 } } },
  });
}
const listen = async () => {
  const listening = await gateway.api.listen();
  expect(listening.scheme).toBe('https');
  port = listening.port;
};

/** As its administrator would: `node-red --settings`, nothing else of ours than the folder of nodes and three variables. */
function startNodeRed(env: Record<string, string>): ChildProcess {
  writeFileSync(join(userDir, 'flows.json'), flow);
  const settings = {
    ...{ userDir, flowFile: 'flows.json', nodesDir: [join(root, 'nodes/derived')], uiHost: '127.0.0.1', uiPort: 0 },
    ...{ httpAdminRoot: false, httpNodeRoot: false, credentialSecret: false, telemetry: { enabled: false } },
  };
  writeFileSync(join(userDir, 'settings.cjs'), `module.exports = ${JSON.stringify(settings)};\n`);
  const nodeRed = join(root, 'node_modules/node-red/red.js');
  const child = spawn(process.execPath, [nodeRed, '--settings', join(userDir, 'settings.cjs')], {
    cwd: userDir,
    env: { PATH: process.env.PATH, HOME: userDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  return child;
}
async function end(): Promise<void> {
  const child = red;
  red = undefined;
  if (!child || child.exitCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill('SIGKILL');
  await gone;
}
const plate: Draft = {
  ...{ lane: 'L1', kind: 'event', scenario: 'vehicle-gate', device: 'camera-east-in', name: 'plate.read' },
  data: { plate: '粤B12345', trigger: 'video', stored: false },
};
const commands = () =>
  gateway.records().filter(({ kind, data }) => kind === 'command' && (data as { state: string }).state === 'succeeded');
const patient = { timeout: 40_000, interval: 100 };

beforeAll(async () => {
  await open();
  await listen();
  const { secret } = await gateway.auth.accounts.createToken(
    { platform: 'office', days: 1, scope: 'flow' },
    'user:test',
  );
  red = startNodeRed({
    GATEHOUSE_URL: `https://localhost:${port}`,
    GATEHOUSE_TOKEN: secret,
    GATEHOUSE_CA: join(directory, 'tls/cert.pem'),
  });
});
afterAll(async () => {
  await end();
  await gateway[Symbol.asyncDispose]();
  for (const folder of [directory, userDir]) rmSync(folder, { recursive: true, force: true });
});

test('records reach it over TLS, and a command works with the rights and the name of its token', async () => {
  await vi.waitFor(() => expect(output).toContain('Started flows'), patient);
  // The position it begins with is kept before it hears the first record.
  await vi.waitFor(() => readFileSync(join(userDir, 'position.json')), patient);
  const [record] = await gateway.journal.append(plate);
  await vi.waitFor(() => expect(gateway.barrier.orders).toEqual(['gate-east-in open']), patient);
  await vi.waitFor(() => expect(commands()).toHaveLength(1), patient);
  expect(commands()[0]).toMatchObject({ device: 'gate-east-in', actor: 'flow:office.gh-single-lane' });
  const granted = gateway.records().find(({ name }) => name === 'access.granted');
  expect(granted).toMatchObject({ actor: 'flow:office.gh-single-lane', cause: record?.id });
}, 60_000);

test('after a restart of the gateway it goes on where it was: what it missed arrives, what it had does not come again', async () => {
  await gateway[Symbol.asyncDispose]();
  await open();
  // Written while nobody could hear it.
  const [missed] = await gateway.journal.append(plate);
  await listen();
  await vi.waitFor(() => expect(gateway.barrier.orders).toEqual(['gate-east-in open']), patient);
  await vi.waitFor(() => expect(commands()).toHaveLength(2), patient);
  const asked = gateway.records().filter(({ name }) => name === 'access.granted');
  expect(asked.map(({ cause }) => cause)).toEqual([expect.any(String), missed?.id]);
}, 60_000);

test('a gateway whose certificate nobody vouched for is not believed', async () => {
  await end();
  output = '';
  const { secret } = await gateway.auth.accounts.createToken(
    { platform: 'other', days: 1, scope: 'flow' },
    'user:test',
  );
  red = startNodeRed({ GATEHOUSE_URL: `https://localhost:${port}`, GATEHOUSE_TOKEN: secret });
  await vi.waitFor(
    () => expect(output).toMatch(/stream: noGateway: .*(self-signed certificate|unable to verify)/),
    patient,
  );
  expect(gateway.barrier.orders).toHaveLength(1);
}, 60_000);
