import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { DeviceView } from '../../contracts/api.ts';
import { call, get } from '../api.ts';
import { clock } from '../clock.ts';
import { Age, Left, Time } from '../parts/age.tsx';
import { FaultMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { devices, session, zoneName } from '../store.ts';
import { failureWords } from '../words/refusals.ts';
import { t, word } from '../words/words.ts';

interface Maintenance {
  readonly until?: number;
}
const maintenance = signal<Maintenance>({});
const MINUTES = [15, 30, 60];

/** For installers: every device with its line and addresses, and the key to the editor. */
export function SetupScreen() {
  const role = session.value?.role;
  if (role !== 'installer' && role !== 'admin')
    return (
      <main class="setup" aria-labelledby="setup-title">
        <h1 id="setup-title">{t('setup.title')}</h1>
        <p class="empty">{t('setup.rights')}</p>
      </main>
    );
  return (
    <main class="setup" aria-labelledby="setup-title">
      <header class="screen-head">
        <h1 id="setup-title">{t('setup.title')}</h1>
      </header>
      <MaintenanceGroup />
      <section class="group" aria-labelledby="setup-devices">
        <h2 id="setup-devices">{t('bar.chip.devices')}</h2>
        <ul class="setup-devices">
          {[...devices.value.keys()].map((id) => (
            <DeviceRow key={id} id={id} />
          ))}
        </ul>
      </section>
    </main>
  );
}

function MaintenanceGroup() {
  const [minutes, setMinutes] = useState(30);
  const [reason, setReason] = useState('');
  const [trouble, setTrouble] = useState('');
  const run = (work: Promise<Maintenance>) => {
    setTrouble('');
    work.then((now) => (maintenance.value = now)).catch((error: unknown) => setTrouble(failureWords(error)));
  };
  useEffect(() => run(get<Maintenance>('/maintenance')), []);
  const until = maintenance.value.until;
  const open = until !== undefined && until > clock.value;
  return (
    <section class="group" aria-labelledby="setup-maintenance">
      <h2 id="setup-maintenance">{t('setup.maintenance.title')}</h2>
      <p class="second">{t('setup.maintenance.text')}</p>
      {open ? (
        <div class="choices">
          <a class="tap tap-main tap-solid" href="/editor">
            {t('setup.maintenance.editor')}
          </a>
          <Tap kind="main" onTap={() => run(closeMaintenance())}>
            {t('setup.maintenance.stop')} <Left until={until} />
          </Tap>
        </div>
      ) : (
        <form
          class="form choices"
          onSubmit={(event) => {
            event.preventDefault();
            run(call<Maintenance>('POST', '/maintenance', { minutes, reason: reason.trim() }));
          }}
        >
          {MINUTES.map((choice) => (
            <Tap key={choice} pressed={minutes === choice} onTap={() => setMinutes(choice)}>
              {t('gates.hold.minutes', { n: choice })}
            </Tap>
          ))}
          <label class="field field-inline">
            {t('setup.maintenance.reason')}
            <input
              name="reason"
              required
              maxLength={256}
              value={reason}
              onInput={(event) => setReason(event.currentTarget.value)}
            />
          </label>
          <Tap type="submit" kind="main" look="solid" onTap={() => {}}>
            {t('setup.maintenance.start')}
          </Tap>
        </form>
      )}
      <p role="alert">{trouble}</p>
    </section>
  );
}

async function closeMaintenance(): Promise<Maintenance> {
  await call('DELETE', '/maintenance');
  return {};
}

function DeviceRow({ id }: { id: string }) {
  const device = devices.value.get(id);
  if (!device) return null;
  const off = device.link.state !== 'online';
  const { address, push } = device;
  return (
    <li class={off ? 'setup-device device-off' : 'setup-device'}>
      <p class="setup-device-name">
        {off && <FaultMark />}
        <strong>{device.name}</strong>
        <code>{device.id}</code>
      </p>
      <p class="second">
        {zoneName(device.zone)} · {device.profile}
      </p>
      <p>
        {word(`device.link.${device.link.state}`, device.link.state)} <Age since={device.link.since} />
        {device.link.reason !== undefined && <span class="second"> {device.link.reason}</span>}
      </p>
      {lastHeard(device) > 0 && (
        <p class="second">
          {t('setup.device.heard')} <Time at={lastHeard(device)} />
        </p>
      )}
      {address && Object.keys(address).length > 0 && <code class="setup-address">{JSON.stringify(address)}</code>}
      {push !== undefined && <code class="setup-address">{push}</code>}
    </li>
  );
}

const lastHeard = (device: DeviceView): number =>
  Math.max(0, ...Object.values(device.points).map((point) => point.received));
