/**
 * What follows when nobody answers an alarm (ux.md 5): a notice to the next role, a work order, the siren of the place. The
 * platform learns of it by the record itself, which goes up first and is what SMS and voice calls are made from (SZ 6.1.2 h).
 */
import type { Alarms } from './alarms/alarms.ts';
import { isWaiting } from './alarms/lifecycle.ts';
import type { Dispatcher } from './commands/dispatcher.ts';
import type { AlarmView, Recipient } from './contracts/api.ts';
import type { Role } from './contracts/contract.ts';
import { scenarioOf } from './contracts/index.ts';
import type { Words } from './contracts/words.ts';
import type { Device } from './devices/device.ts';
import type { Inventory } from './devices/inventory.ts';
import type { Notices } from './duty/notices.ts';
import type { WorkOrders } from './duty/work-orders.ts';
import type { Log } from './log.ts';
import { summonsWords } from './summons.words.ts';

interface Parts {
  readonly alarms: Pick<Alarms, 'listen' | 'open'>;
  readonly inventory: Pick<Inventory, 'devicesIn' | 'zonePath'>;
  readonly dispatcher: Pick<Dispatcher, 'send'>;
  readonly notices: Pick<Notices, 'send'>;
  readonly workOrders: Pick<WorkOrders, 'create'>;
  readonly log: Log;
}

const ACTOR = 'system:alarms';
const SIREN = { actor: 'linkage:escalation', sender: 'linkage' } as const;
/** Who reads a notice to each of them; SMS and calls are made above, a shift report is written from the records. */
const rolesOf: Partial<Record<Recipient, Role>> = {
  'shift-leader': 'shift-leader',
  manager: 'admin',
  'second-booth': 'guard',
};
const TITLE = 64;

/** @returns puts right what a crash cut short: what was recorded and perhaps not sent. Sending twice is sending once. */
export function startSummons({ alarms, inventory, dispatcher, notices, workOrders, log }: Parts): () => void {
  const failed = (what: string, view: AlarmView) => (error: unknown) =>
    log.error({ err: error, alarm: view.id }, `an escalation: ${what} failed`);
  /** One for each step of each coming, so that a step told again after a crash is not told twice. */
  const keyOf = (view: AlarmView) =>
    `escalation ${view.id} ${view.count} ${view.escalation?.level} ${view.escalation?.at}`;

  function tell(view: AlarmView): void {
    const to = view.escalation?.to ?? [];
    const roles = [...new Set(to.flatMap((one) => rolesOf[one] ?? []))];
    const cause = view.cause === undefined ? {} : { cause: view.cause };
    if (roles.length > 0) {
      notices
        .send(
          {
            title: both(summonsWords.title, view),
            text: both(summonsWords.unanswered, view),
            to: { roles },
            priority: view.priority,
            ...cause,
          },
          ACTOR,
          keyOf(view),
        )
        .catch(failed('a notice', view));
    }
    if (!to.includes('work-order')) return;
    const about = view.scenario === 'gateway' ? {} : { device: view.device, zone: view.zone };
    workOrders
      .create(
        {
          title: both(summonsWords.order, view).slice(0, TITLE),
          priority: view.priority,
          alarm: view.id,
          ...about,
          ...cause,
        },
        ACTOR,
        keyOf(view),
      )
      .catch(failed('a work order', view));
  }

  /** The nearest place around the alarm that has sirens. */
  function sirensOf({ zone }: AlarmView): { device: Device; on: string; input: object; off: string | undefined }[] {
    for (const { id } of inventory.zonePath(zone)) {
      const found = inventory.devicesIn(id).flatMap((device) => {
        const commands = Object.entries(scenarioOf(device.scenario)?.commands ?? {});
        return commands.flatMap(([on, { escalates }]) =>
          escalates && on in (device.profile.commands ?? {})
            ? [{ device, on, input: escalates.input, off: escalates.stop }]
            : [],
        );
      });
      if (found.length > 0) return found;
    }
    return [];
  }

  function command(view: AlarmView, device: string, name: string, input: object): void {
    const cause = view.cause === undefined ? {} : { cause: view.cause };
    dispatcher
      .send({ device, command: name, input: { ...input }, ...cause }, SIREN, `${keyOf(view)} ${device} ${name}`)
      .catch(failed(`${name} of ${device}`, view));
  }

  /** Alarms whose siren was sounded since the start. */
  const sounding = new Set<string>();
  const sounds = ({ id, escalation }: AlarmView) => sounding.has(id) || (escalation?.to.includes('siren') ?? false);

  alarms.listen({
    escalated(view) {
      tell(view);
      if (!view.escalation?.to.includes('siren')) return;
      sounding.add(view.id);
      for (const { device, on, input } of sirensOf(view)) command(view, device.id, on, input);
    },
    answered(view) {
      if (!sounds(view)) return;
      sounding.delete(view.id);
      const others = alarms.open().filter((one) => isWaiting(one) && one.id !== view.id && sounds(one));
      const kept = new Set(others.flatMap(sirensOf).map(({ device }) => device.id));
      for (const { device, off } of sirensOf(view))
        if (off !== undefined && !kept.has(device.id)) command(view, device.id, off, {});
    },
  });

  return () => {
    for (const view of alarms.open()) if (view.escalation && isWaiting(view)) tell(view);
  };
}

/** Chinese first, then English: a notice is one text for everybody. */
function both(words: Words, view: AlarmView): string {
  const kind = scenarioOf(view.scenario)?.alarms[view.kind]?.words;
  const place = view.place === undefined ? '' : `${view.place} `;
  const inLanguage = (language: keyof Words) =>
    words[language].replace('{alarm}', kind?.[language] ?? view.kind).replace('{place}', place);
  return `${inLanguage('zh')} / ${inLanguage('en')}`;
}
