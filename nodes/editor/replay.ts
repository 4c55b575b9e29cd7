/** Sidebar 回放: choose past records and a flow, watch it play, read what it would do beside what happened then. */
import { type Words, wordOf } from './red.ts';
import { replayWords } from './replay.words.ts';

interface Act {
  readonly record: string;
  readonly kind: string;
  readonly device: string;
  readonly action: string;
  readonly input: unknown;
  readonly nodeName?: string;
  readonly outcome?: string;
}
interface Replay {
  readonly id: string;
  readonly state: 'starting' | 'running' | 'done' | 'failed' | 'stopped';
  readonly reason?: string;
  readonly total: number;
  readonly more: boolean;
  readonly played: number;
  readonly outside: readonly string[];
  readonly comparison: readonly {
    readonly verdict: 'same' | 'different' | 'missing';
    readonly would?: Act;
    readonly happened?: Act;
  }[];
  readonly failures: readonly { readonly node: string; readonly text: string }[];
}

const say = (key: keyof typeof replayWords): string => wordOf(replayWords[key] as Words);
const API = '/api/v1/flows';
const POLL_MS = 700;
const HOUR_MS = 3_600_000;

/** What the gateway said, or why it did not, as a sentence. */
async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${API}${path}`, {
    method,
    headers: { 'x-gatehouse': '1', ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  }).catch(() => {
    throw new Error(say('unreachable'));
  });
  const answer = (await response.json().catch(() => ({}))) as T & { detail?: string };
  if (!response.ok) throw new Error(answer.detail ?? `${response.status}`);
  return answer;
}

/** `YYYY-MM-DDTHH:MM` of the browser's clock, as a date field has it. */
const fieldTime = (at: number): string => {
  const date = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
};

const row = (label: string, control: JQuery): JQuery =>
  $('<div class="gh-replay-row">')
    .css({ display: 'flex', alignItems: 'center', gap: '6px', margin: '4px 0' })
    .append(
      $('<label>').css({ width: '64px', margin: '0', flex: 'none' }).text(label),
      control.css({ flex: '1', margin: '0', minWidth: '0' }),
    );

const choice = (options: readonly (readonly [value: string, text: string])[]): JQuery => {
  const select = $('<select>');
  for (const [value, text] of options) select.append($('<option>').val(value).text(text));
  return select;
};

const button = (text: string, className: string): JQuery =>
  $('<button type="button" class="red-ui-button">').addClass(className).text(text).css({ marginRight: '6px' });

const verdictColour = { same: '#1E7A3C', different: '#D9660A', missing: '#B3121D' } as const;

const textOfAct = (act: Act | undefined): string => {
  if (!act) return '–';
  const input = JSON.stringify(act.input ?? {});
  const outcome = act.outcome === undefined ? '' : ` → ${act.outcome}`;
  return `${act.device} ${act.action}${input === '{}' ? '' : ` ${input}`}${outcome}`.trim();
};

function table(replay: Replay): JQuery {
  const body = $('<tbody>');
  for (const { verdict, would, happened } of replay.comparison) {
    const cell = (text: string) =>
      $('<td>').css({ padding: '3px 6px', verticalAlign: 'top', wordBreak: 'break-word' }).text(text);
    body.append(
      $('<tr class="gh-replay-act">')
        .attr('data-verdict', verdict)
        .css({ borderTop: '1px solid #ccc' })
        .append(
          cell(say(verdict)).css({ color: verdictColour[verdict], fontWeight: 'bold', whiteSpace: 'nowrap' }),
          cell(`${would?.nodeName ? `${would.nodeName}: ` : ''}${textOfAct(would)}`),
          cell(textOfAct(happened)),
        ),
    );
  }
  const head = $('<tr>');
  for (const title of ['', say('would'), say('happened')])
    head.append($('<th>').css({ textAlign: 'left', padding: '3px 6px' }).text(title));
  return $('<table class="gh-replay-table">')
    .css({ width: '100%', fontSize: '12px' })
    .append($('<thead>').append(head), body);
}

function showIn(box: JQuery, replay: Replay): void {
  const line = (className: string, text: string) => $('<div>').addClass(className).css({ margin: '4px 0' }).text(text);
  const progress = `${say(replay.state)} ${replay.played} / ${replay.total} ${say('records')}`;
  box.empty().append(line('gh-replay-state', `${progress} ${replay.more ? say('more') : ''}`));
  if (replay.reason !== undefined) box.append(line('gh-replay-reason', replay.reason).css({ color: '#B3121D' }));
  if (replay.outside.length > 0) box.append(line('gh-replay-outside', `${say('outside')}${replay.outside.join(', ')}`));
  if (replay.comparison.length > 0) box.append(table(replay));
  else if (replay.state === 'done') box.append(line('gh-replay-nothing', say('nothing')));
  if (replay.failures.length > 0) box.append(line('gh-replay-errors', say('errors')).css({ fontWeight: 'bold' }));
  for (const { node, text } of replay.failures) box.append(line('gh-replay-error', `${node}: ${text}`));
}

/** The nodes of the editor, without their credentials. */
const nodesNow = (): object[] => window.RED.nodes.createCompleteNodeSet(false) as object[];

function build(content: JQuery): void {
  const flow = choice([]).addClass('gh-replay-flow');
  const version = choice([
    ['edited', say('edited')],
    ['deployed', say('deployed')],
  ]);
  const now = Date.now();
  const from = $('<input type="datetime-local" class="gh-replay-from">').val(fieldTime(now - HOUR_MS));
  const to = $('<input type="datetime-local" class="gh-replay-to">').val(fieldTime(now + 60_000));
  const device = $('<input type="text" class="gh-replay-device">').attr('placeholder', say('any'));
  const name = $('<input type="text" class="gh-replay-name">').attr('placeholder', say('any'));
  const speed = choice([
    ['fast', say('fast')],
    ['10', say('ten')],
    ['1', say('real')],
    ['step', say('step')],
  ]).addClass('gh-replay-speed');
  const [start, next, stop, save] = [
    button(say('start'), 'gh-replay-start'),
    button(say('next'), 'gh-replay-next'),
    button(say('stop'), 'gh-replay-stop'),
    button(say('save'), 'gh-replay-save'),
  ];
  const result = $('<div class="gh-replay-result">');
  const told = $('<div class="gh-replay-told">').css({ color: '#B3121D', margin: '4px 0' });
  let current: Replay | undefined;

  const fill = () => {
    const chosen = String(flow.val() ?? window.RED.workspaces.active());
    flow.empty();
    window.RED.nodes.eachWorkspace((tab) => {
      const { id, label } = tab as { id: string; label: string };
      flow.append($('<option>').val(id).text(label));
      return true;
    });
    flow.val(chosen);
  };
  const buttons = () => {
    const busy = current?.state === 'starting' || current?.state === 'running';
    start.prop('disabled', busy);
    next.toggle(busy && speed.val() === 'step');
    stop.toggle(busy);
    save.toggle(current?.state === 'done');
  };
  const show = (replay: Replay) => {
    current = replay;
    showIn(result, replay);
    buttons();
    if (replay.state === 'starting' || replay.state === 'running') {
      setTimeout(() => attempt(() => call<Replay>('GET', `/replays/${replay.id}`)), POLL_MS);
    }
  };
  const attempt = (ask: () => Promise<Replay>) => {
    told.text('');
    ask().then(show, (error: unknown) => told.text(error instanceof Error ? error.message : String(error)));
  };
  const text = (field: JQuery) => String(field.val() ?? '').trim();

  start.on('click', () => {
    const [first, last] = [from, to].map((field) => new Date(text(field)).getTime());
    if (!Number.isFinite(first) || !Number.isFinite(last)) {
      told.text(say('noRange'));
      return;
    }
    const speeds = text(speed);
    attempt(() =>
      call<Replay>('POST', '/replays', {
        tab: text(flow),
        records: {
          ...{ from: first, to: last },
          ...(text(device) === '' ? {} : { device: text(device) }),
          ...(text(name) === '' ? {} : { name: text(name) }),
        },
        speed: speeds === 'fast' || speeds === 'step' ? speeds : Number(speeds),
        ...(version.val() === 'edited' ? { flow: nodesNow() } : {}),
      }),
    );
  });
  next.on('click', () => current && void call('POST', `/replays/${current.id}/step`).catch(() => {})); // polled anyway
  stop.on('click', () => current && void call('DELETE', `/replays/${current.id}`).catch(() => {}));
  save.on('click', () => {
    if (!current) return;
    const title = `${flow.find('option:selected').text()} ${text(from)} – ${text(to)}`;
    call<{ file: string }>('POST', `/replays/${current.id}/save`, { title }).then(
      ({ file }) => told.text(`${say('saved')}${file}`).css({ color: '#1E7A3C' }),
      (error: unknown) => told.text(error instanceof Error ? error.message : String(error)),
    );
  });
  flow.on('focus', fill);
  fill();
  content.append(
    $('<p>').text(say('intro')),
    row(say('flow'), flow),
    row(say('version'), version),
    row(say('from'), from),
    row(say('to'), to),
    row(say('device'), device),
    row(say('name'), name),
    row(say('speed'), speed),
    $('<div>').css({ margin: '8px 0' }).append(start, next, stop, save),
    told,
    result,
  );
  buttons();
}

/** Adds the sidebar; once the editor stands. */
export function addReplay(): void {
  const content = $('<div class="gh-replay">').css({
    padding: '10px',
    height: '100%',
    overflowY: 'auto',
    boxSizing: 'border-box',
  });
  let built = false;
  const tab = {
    id: 'gh-replay',
    label: say('tab'),
    name: say('tab'),
    iconClass: 'fa fa-history',
    // The type of the package says a bare element; the editor takes a jQuery one, and says so in its documentation.
    content: content as unknown as HTMLElement,
    enableOnEdit: true,
    onchange: () => {
      if (!built) build(content);
      built = true;
    },
  };
  window.RED.sidebar.addTab(tab);
}
