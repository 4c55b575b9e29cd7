import { useState } from 'preact/hooks';
import { clock, siteZone } from '../clock.ts';
import { sendCommand } from '../commands.ts';
import { askApproval } from '../parts/approval.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Snapshot } from '../parts/snapshot.tsx';
import { Tap } from '../parts/tap.tsx';
import { quarters } from '../state/quarters.ts';
import { camerasOf } from '../store.ts';
import { clockIn } from '../words/time.ts';
import { t, word } from '../words/words.ts';
import { openingReasons } from './reasons.ts';
import { commandWords, type Question, question, send } from './sending.ts';

/** What a tapped command asks before it is sent; one box, on every screen. */
export function CommandDialog() {
  const now = question.value;
  if (!now) return null;
  const key = `${now.device.id} ${now.name}`;
  if (now.ask === 'hold') return <HoldDialog key={key} question={now} />;
  if (now.ask === 'reason-first') return <ReasonDialog key={key} question={now} />;
  return <ConfirmDialog key={key} question={now} />;
}

const close = (): void => {
  question.value = undefined;
};
const titleOf = ({ device, name }: Question): string =>
  t('common.pair', { a: commandWords(device.scenario, name), b: device.name });

/** The second tap, away from the first, beside the newest picture where a camera sees the place. */
function ConfirmDialog({ question: now }: { question: Question }) {
  const { device, name } = now;
  const cameras = camerasOf({ device: device.id, zone: device.zone });
  const confirm = () => {
    close();
    if (now.ask !== 'captain') {
      send(now);
      return;
    }
    askApproval({
      what: titleOf(now),
      run: (approval) => sendCommand(device.id, name, { input: now.input ?? {}, cause: now.cause, approval }),
    });
  };
  return (
    <Dialog away title={titleOf(now)} onClose={close}>
      <p>
        {now.ask === 'look-first' ? t('gates.close.text') : word(`ask.${device.scenario}.${name}`, t('ask.confirm'))}
      </p>
      {(cameras.length > 0 || now.ask === 'look-first') && <Snapshot cameras={cameras} />}
      <div class="choices">
        <Tap kind="critical" onTap={confirm} note={now.ask === 'captain' ? t('approval.tag') : undefined}>
          {commandWords(device.scenario, name)}
        </Tap>
      </div>
    </Dialog>
  );
}

/** Site policy "reason before": the opening waits for one of the eight chips. */
function ReasonDialog({ question: now }: { question: Question }) {
  return (
    <Dialog title={titleOf(now)} onClose={close}>
      <p>{t('gates.reasons.first')}</p>
      <div class="chips">
        {openingReasons.map((reason) => (
          <Tap
            key={reason}
            kind="main"
            onTap={() => {
              close();
              send(now, { reason });
            }}
          >
            {t(`gates.reason.${reason}`)}
          </Tap>
        ))}
      </div>
    </Dialog>
  );
}

const HOLD_MINUTES = [5, 15, 30];
const LONGEST_HOLD_MS = 1_800_000;

/** Holding open: the reason first, then for how long or until when. */
function HoldDialog({ question: now }: { question: Question }) {
  const [reason, setReason] = useState<string | undefined>(undefined);
  const hold = (holdSeconds: number) => {
    close();
    send({ ...now, input: { holdSeconds } }, reason === undefined ? {} : { reason });
  };
  return (
    <Dialog away class="wide-dialog" title={titleOf(now)} onClose={close}>
      <p>{t('gates.hold.text')}</p>
      <div class="chips">
        {openingReasons.map((name) => (
          <Tap key={name} pressed={reason === name} onTap={() => setReason(name)}>
            {t(`gates.reason.${name}`)}
          </Tap>
        ))}
      </div>
      <div class="choices">
        {HOLD_MINUTES.map((minutes) => (
          <Tap key={minutes} kind="critical" disabled={reason === undefined} onTap={() => hold(minutes * 60)}>
            {t('gates.hold.minutes', { n: minutes })}
          </Tap>
        ))}
        {quarters(clock.value, LONGEST_HOLD_MS).map((until) => (
          <Tap
            key={until}
            kind="critical"
            disabled={reason === undefined}
            onTap={() => hold(Math.round((until - clock.value) / 1000))}
          >
            {t('gates.hold.until', { at: clockIn(siteZone.value, until) })}
          </Tap>
        ))}
      </div>
    </Dialog>
  );
}
