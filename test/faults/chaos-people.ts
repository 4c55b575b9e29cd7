/** Everybody who is a client of the gateway in the chaos trial: guards, booths that follow, a platform that pulls. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlarmView, CommandView, RecordsPage } from '../../runtime/contracts/api.ts';
import type { JournalRecord } from '../../runtime/contracts/record.ts';
import { eventsOf } from '../site.ts';
import { type Ask, type Layout, mono, type Try } from './chaos-log.ts';
import type { Compound, Person } from './chaos-site.ts';
import { hold, pick } from './trial.ts';

const ANSWER_MS = 8000;
const PRESS_MS = 500;
const AGAIN_MS = 300;
/** Whoever got no answer asks again with the same key, for so long. */
const PERSIST_MS = 20_000;
const WAIT_MS = 3000;
const PULL_MS = 700;
const PAGE = 500;
const LOOK_MS = 1500;
const BOOTHS = 3;
const RENEW_MS = 15_000;
const HOLD_MS = 10_000;
const ORDER_MS = 5000;
const EMERGENCY_MS = 60_000;
const DEADLINES = [undefined, undefined, 300, 1000, 5000] as const;
const GUARDS = ['guard-east', 'guard-west', 'guard-night'] as const;
/** What a booth follows. */
export const followed = ({ kind }: JournalRecord): boolean => kind === 'alarm' || kind === 'command';

export interface Followed {
  readonly who: string;
  /** Places of what came, in order. */
  readonly seen: string[];
  /** Cuts its connection; it comes back with its last place. */
  cut(): void;
}

export interface People {
  readonly asks: readonly Ask[];
  readonly booths: readonly Followed[];
  /** Everything the platform has pulled. */
  readonly pulled: readonly JournalRecord[];
  /** How long an accepted command was waited for, ms. */
  readonly waits: readonly number[];
  /** Nobody asks for anything any more; resolves when the last answer has come. */
  rest(): Promise<void>;
  /** Pulls what there is until nothing more comes. */
  pull(): Promise<void>;
  /** And goes home. */
  leave(): Promise<void>;
}

export function letIn(compound: Compound, layout: Layout, random: () => number): People {
  const asks: Ask[] = [];
  const waits: number[] = [];
  const pulled: JournalRecord[] = [];
  const resting = new AbortController();
  const leaving = new AbortController();
  const pause = (ms: number, signal = resting.signal) => sleep(ms, undefined, { signal }).catch(() => undefined);
  let count = 0;

  async function attempt(as: Person | undefined, ask: Ask, body: object, wait: number): Promise<Try> {
    const one: Try = { sentAt: mono(), status: 0 };
    ask.tries.push(one);
    try {
      const response = await compound.api(`/commands${wait > 0 ? `?wait=${wait}` : ''}`, {
        method: 'POST',
        ...(as === undefined ? {} : { as }),
        headers: { 'idempotency-key': ask.key },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const view = (await response.json()) as CommandView & { code?: string };
      one.answeredAt = mono();
      one.status = response.status;
      if (response.ok) {
        one.id = view.id;
        one.state = view.state;
        if (wait === 0) waits.push(one.answeredAt - one.sentAt);
      } else if (view.code !== undefined) one.code = view.code;
    } catch {
      // nobody answered, or not in time: the key will tell
    }
    return one;
  }

  function wish(): { device: string; command: string; input?: object } {
    const gate = layout.gates[pick(random, layout.gates.length)]?.id ?? '';
    const zone = layout.zones[pick(random, layout.zones.length)] ?? '';
    const dice = random();
    if (dice < 0.45) return { device: zone, command: 'arm' };
    if (dice < 0.8) return { device: gate, command: 'open' };
    if (dice < 0.92) return { device: gate, command: 'close' };
    return dice < 0.96
      ? { device: gate, command: 'lockOpen', input: { holdSeconds: 10 } }
      : { device: gate, command: 'endHold' };
  }

  async function press(as: (typeof GUARDS)[number]): Promise<void> {
    const deadlineMs = DEADLINES[pick(random, DEADLINES.length)];
    const wanted = wish();
    const body = { ...wanted, reason: 'chaos', ...(deadlineMs === undefined ? {} : { deadlineMs }) };
    const ask: Ask = {
      ...{ actor: `user:${as}`, key: `press-${++count}`, device: wanted.device, command: wanted.command },
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      tries: [],
    };
    asks.push(ask);
    const wait = random() < 0.5 ? WAIT_MS : 0;
    const dice = random();
    const first = attempt(as, ask, body, wait);
    if (dice < 0.2) await attempt(as, ask, body, 0); // twice at once: the finger that trembles
    let last = await first;
    if (dice > 0.9) last = await attempt(as, ask, body, wait);
    if (dice > 0.8 && dice < 0.85 && last.id !== undefined) {
      const other = await attempt(as, { ...ask, tries: [] }, { ...body, reason: 'another' }, 0);
      hold(
        'C1',
        other.status === 0 || other.status >= 500 || other.code === 'command.conflict',
        `the key of another command was answered ${other.status} ${other.code}`,
      );
    }
    const until = mono() + PERSIST_MS;
    while (last.status === 0 && mono() < until) {
      await sleep(AGAIN_MS);
      last = await attempt(as, ask, body, 0);
    }
  }

  async function guard(as: (typeof GUARDS)[number]): Promise<void> {
    while (!resting.signal.aborted) {
      await pause(100 + pick(random, PRESS_MS));
      if (!resting.signal.aborted) await press(as);
    }
  }

  /** The shift leader holds something, renews it a few times, and forgets it. */
  async function captain(): Promise<void> {
    const doors = layout.boards.filter(({ profile }) => profile === 'generic/relay-door');
    while (!resting.signal.aborted) {
      const device = doors[pick(random, doors.length)]?.id;
      const wanted =
        random() < 0.7 && device !== undefined
          ? { device, command: 'lock' }
          : { device: layout.gates[pick(random, layout.gates.length)]?.id ?? '', command: 'lockClosed' };
      const ask: Ask = { actor: 'user:captain', key: `hold-${++count}`, ...wanted, tries: [] };
      asks.push(ask);
      const { id } = await attempt('captain', ask, wanted, WAIT_MS);
      for (let left = pick(random, 4); left > 0 && id !== undefined && !resting.signal.aborted; left--) {
        await pause(1000 + pick(random, RENEW_MS));
        await compound
          .api(`/commands/${id}/renew`, { method: 'POST', as: 'captain', signal: AbortSignal.timeout(ANSWER_MS) })
          .then((response) => response.arrayBuffer())
          .catch(() => undefined); // nobody is there to hold it
      }
      await restore();
      await pause(pick(random, HOLD_MS));
    }
  }

  /** Somebody with the key stands at the shed that was cut off. */
  async function restore(): Promise<void> {
    const sheds = layout.boards.filter(({ profile }) => profile === 'generic/io-ebike-zone');
    const device = sheds[pick(random, sheds.length)]?.id;
    if (device === undefined || random() < 0.5) return;
    const ask: Ask = { actor: 'user:captain', key: `restore-${++count}`, device, command: 'restore', tries: [] };
    asks.push(ask);
    await attempt('captain', ask, { device, command: 'restore' }, 0);
  }

  /** The city signs what it wants, each answering a challenge, and now and then sends it twice. */
  async function city(): Promise<void> {
    while (!resting.signal.aborted) {
      await pause(pick(random, ORDER_MS));
      const { device, command } = wish();
      if (command !== 'arm' && command !== 'open') continue;
      const challenge = await compound
        .json<{ nonce: string }>('/commands/challenges', { method: 'POST', signal: AbortSignal.timeout(ANSWER_MS) })
        .catch(() => undefined);
      if (!challenge || resting.signal.aborted) continue;
      const body = compound.sign({ device, command, reason: 'chaos' }, challenge.nonce);
      const ask: Ask = { actor: 'platform:city', key: body.signed.id, device, command, tries: [] };
      asks.push(ask);
      const first = attempt(undefined, ask, body, 0);
      if (random() < 0.3) await attempt(undefined, ask, body, 0);
      await first;
    }
  }

  /** Whoever stands at the gate with a fire behind it needs no log-in. */
  async function bystander(): Promise<void> {
    const places = [...layout.gates, ...layout.boards.filter(({ profile }) => profile === 'generic/relay-door')];
    while (!resting.signal.aborted) {
      await pause(pick(random, EMERGENCY_MS));
      const device = places[pick(random, places.length)]?.id;
      if (resting.signal.aborted) return;
      await fetch(`${compound.url}/api/v1/emergency-open`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-gatehouse': '1' },
        body: JSON.stringify({ device }),
        signal: AbortSignal.timeout(ANSWER_MS),
      })
        .then((response) => response.arrayBuffer())
        .catch(() => undefined);
    }
  }

  const act = (id: string, action: string, as: Person, body: object = {}) =>
    compound
      .api(`/alarms/${id}/${action}`, {
        method: 'POST',
        as,
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_MS),
      })
      .then(async (response) => {
        await response.arrayBuffer();
        return response.status;
      })
      .catch(() => 0);

  /** One alarm, as far as somebody gets with it this time. */
  async function handle(alarm: AlarmView): Promise<void> {
    const as = GUARDS[pick(random, GUARDS.length)] ?? 'guard-east';
    if (random() < 0.1) {
      const status = await act(alarm.id, 'shelve', 'captain', { note: 'chaos', minutes: 5 });
      hold('R2', alarm.priority !== 1 || status !== 200, () => `${alarm.kind} of priority 1 could be shelved`);
    }
    if (random() < 0.7) await act(alarm.id, 'ack', as);
    if (random() < 0.5) await act(alarm.id, 'dispatch', as, { to: 'patrol' });
    if (random() < 0.6) await act(alarm.id, 'resolve', as, { disposition: 'real', note: 'chaos' });
    if (alarm.latching && random() < 0.6) await act(alarm.id, 'reset', 'captain');
  }

  async function watchAlarms(): Promise<void> {
    while (!resting.signal.aborted) {
      await pause(LOOK_MS);
      const list = await compound
        .json<{ items: AlarmView[] }>('/alarms?state=open', { as: 'captain', signal: AbortSignal.timeout(ANSWER_MS) })
        .catch(() => undefined);
      for (const alarm of list?.items ?? []) if (!resting.signal.aborted && random() < 0.4) await handle(alarm);
    }
  }

  /** Two pulls at once would each add what comes. */
  let pulling: Promise<void> = Promise.resolve();
  async function pullOnce(): Promise<void> {
    for (;;) {
      const last = pulled.at(-1);
      const after = last ? `${last.epoch}:${last.seq}` : '0:0';
      const page = await compound.json<RecordsPage>(`/records?limit=${PAGE}&after=${after}`, {
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      pulled.push(...page.items);
      if (page.next === undefined) return;
    }
  }
  function pull(): Promise<void> {
    pulling = pulling.catch(() => undefined).then(pullOnce);
    return pulling;
  }
  async function platform(): Promise<void> {
    while (!resting.signal.aborted) {
      await pull().catch(() => undefined); // the gateway is away; the next one goes on where this one was
      await pause(PULL_MS);
    }
  }

  // As a shift leader: a guard sees today only, and what day it is changes here.
  const follow = (index: number): Followed & { readonly live: Promise<void> } => {
    const seen: string[] = [];
    let connection = new AbortController();
    const live = (async () => {
      let last: string | undefined;
      while (!leaving.signal.aborted) {
        connection = new AbortController();
        try {
          const response = await compound.api('/stream?kind=alarm,command', {
            as: 'captain',
            ...(last === undefined ? {} : { headers: { 'last-event-id': last } }),
            signal: AbortSignal.any([connection.signal, leaving.signal]),
          });
          for await (const { epoch, seq } of eventsOf(response)) {
            last = `${epoch}:${seq}`;
            seen.push(last);
          }
        } catch {
          // it comes back
        }
        await pause(AGAIN_MS, leaving.signal);
      }
    })();
    return { who: `booth ${index + 1}`, seen, cut: () => connection.abort(), live };
  };

  const booths = Array.from({ length: BOOTHS }, (_, index) => follow(index));
  const working = Promise.all([...GUARDS.map(guard), captain(), city(), bystander(), watchAlarms(), platform()]);
  working.catch(() => resting.abort()); // a promise that broke ends the work, and is told by rest()
  return {
    ...{ asks, booths, pulled, waits, pull },
    async rest() {
      resting.abort();
      await working;
    },
    async leave() {
      leaving.abort();
      await Promise.all(booths.map(({ live }) => live));
    },
  };
}
