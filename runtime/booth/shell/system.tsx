import { signal } from '@preact/signals';
import { Age, Time } from '../parts/age.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { FaultMark } from '../parts/priority.tsx';
import { devices, lost, status, zoneName } from '../store.ts';
import { t, word } from '../words/words.ts';

const shown = signal(false);
export const openSystem = (): void => {
  shown.value = true;
};

/** What stands behind the chips: gateway, platforms, flows and every device with its line. */
export function SystemDialog() {
  if (!shown.value) return null;
  const now = status.value;
  return (
    <Dialog class="system" title={t('system.title')} onClose={() => (shown.value = false)}>
      <dl class="facts">
        <Fact name={t('bar.chip.gateway')}>{t(lost.value ? 'bar.chip.lost' : 'bar.chip.ok')}</Fact>
        {now && (
          <>
            <Fact name={t('system.started')}>
              <Time at={now.startedAt} />
            </Fact>
            <Fact name={t('system.clock')}>{word(`system.clock.${now.clock}`, now.clock)}</Fact>
            <Fact name={t('system.flows')}>{word(`system.flows.${now.flows.state}`, now.flows.state)}</Fact>
            {now.uplinks.map((uplink) => (
              <Fact key={uplink.id} name={t('bar.chip.platform')}>
                {word(`system.uplink.${uplink.state}`, uplink.state)} <Age since={uplink.since} />
                {uplink.backlog > 0 && ` ${t('bar.chip.backlog', { n: uplink.backlog })}`}
              </Fact>
            ))}
            {now.storage && (
              <Fact name={t('system.storage')}>
                {t('system.storage.used', { n: Math.round(now.storage.fill * 100) })}
                {now.storage.outageSeconds !== undefined &&
                  ` ${t('system.storage.outage', { n: Math.floor(now.storage.outageSeconds / 3600) })}`}
                {now.storage.refused.includes('L1') && ` ${t('system.storage.full')}`}
              </Fact>
            )}
            <Fact name={t('system.version')}>{now.version}</Fact>
          </>
        )}
      </dl>
      <h3>{t('bar.chip.devices')}</h3>
      <ul class="device-list">
        {[...devices.value.values()].map((device) => (
          <li key={device.id} class={device.link.state === 'online' ? 'device' : 'device device-off'}>
            {device.link.state !== 'online' && <FaultMark />}
            <span class="device-name">{device.name}</span>
            <span class="second">{zoneName(device.zone)}</span>
            <span class="device-link">
              {word(`device.link.${device.link.state}`, device.link.state)}
              {device.link.state === 'offline' && (
                <>
                  {' '}
                  <Age since={device.link.since} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
