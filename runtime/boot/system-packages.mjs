// @ts-check
// The tests hold the gateway against independent peers: brokers, Modbus tools, a browser. They come from Debian.
import { spawnSync } from 'node:child_process';
import { runQuietly, runVisibly } from './children.mjs';
import { say, step } from './console.mjs';
import { words } from './words.mjs';

const NEEDED = [
  'chromium',
  'fonts-noto-cjk',
  'gcc',
  'libc6-dev',
  'mbpoll',
  'mosquitto',
  'mosquitto-clients',
  'nats-server',
  'postgresql',
  'python3-pymodbus',
  'python3-serial-asyncio',
  'socat',
];
/** Debian starts these when it installs them, on the very ports the gateway and its demo use. */
const SERVICES = ['mosquitto', 'nats-server', 'postgresql'];

/** Another apt may be at work, most of all on a machine just started. */
const INSTALL = ['install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];

/** Installs the missing ones if that is allowed; otherwise says how, and the tests that need them will fail. */
export async function provideSystemPackages() {
  const missing = missingPackages();
  if (missing.length === 0) {
    return;
  }
  if (process.getuid?.() === 0 && exists('apt-get')) {
    await step(words.installSystem(missing), async () => {
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
      await runQuietly('apt-get', ['update', '-q'], { cwd: '/', env });
      await runVisibly('apt-get', INSTALL.concat(missing), { cwd: '/', env });
      const started = SERVICES.filter((name) => missing.includes(name));
      if (started.length > 0 && exists('systemctl')) {
        await runQuietly('systemctl', ['disable', '--now', ...started], { cwd: '/', env });
      }
    });
  }
  const still = missingPackages();
  if (still.length > 0) {
    say(words.systemMissing(`sudo apt-get install ${still.join(' ')}`));
  }
}

function missingPackages() {
  const { stdout } = spawnSync('dpkg', ['-l', ...NEEDED], {
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: '200' },
  });
  // `ii  chromium  156.0…`: wanted and installed. A system without dpkg prints nothing, so everything counts as missing.
  const present = new Set((stdout ?? '').split('\n').map((line) => /^.i +([^\s:]+)/.exec(line)?.[1]));
  return NEEDED.filter((name) => !present.has(name));
}

/** @param {string} command */
function exists(command) {
  return spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;
}
