import { guarded } from '../access.ts';
import { renewHold } from '../commands.ts';
import { Left } from '../parts/age.tsx';
import { leads } from '../parts/approval.tsx';
import { Tap } from '../parts/tap.tsx';
import { type Held, leaseOf } from '../state/leases.ts';
import { canAct, deviceName, devices, session } from '../store.ts';
import { actorWords } from '../words/actors.ts';
import { t } from '../words/words.ts';
import { commandWords, tapCommand, whyNot } from './sending.ts';

/** What is held, by whom, how long still, and the two ways on: renew it or let it go. */
export function HeldLine({ held }: { held: Held }) {
  const terms = leaseOf(held.scenario);
  const device = devices.value.get(held.device);
  if (!terms || !device) return null;
  const mine = held.actor === `user:${session.value?.name}` || leads(session.value?.role);
  return (
    <div class="held-line">
      <p>
        <strong>{commandWords(held.scenario, terms.name)}</strong> <Left until={held.until} />{' '}
        <span class="held-more">{t('held.by', { who: actorWords(held.actor) })}</span>
      </p>
      <p class="held-more">{t('held.ends')}</p>
      <div class="choices">
        {mine && (
          <Tap kind="main" disabled={!canAct.value} onTap={() => guarded(() => void renewHold(held))} of={device.name}>
            {t('held.renew')}
          </Tap>
        )}
        <Tap
          kind="main"
          why={whyNot(device, terms.release)}
          onTap={() => tapCommand({ device, name: terms.release })}
          of={deviceName(held.device)}
        >
          {commandWords(held.scenario, terms.release)}
        </Tap>
      </div>
    </div>
  );
}
